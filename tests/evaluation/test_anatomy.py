"""What is drawn over is not found, what is bent lies outside, and hands are counted as they are."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fairhuman.data import HumanFolder
from fairhuman.detectors import Body, Detection, Face, Hand, has_second_detector
from fairhuman.evaluation.anatomy import (
    GESTURE_FINGERS,
    Anatomy,
    FaceShapes,
    align_shape,
    anatomy_rates,
    compare_anatomy,
    extended_fingers,
    judge_anatomy,
    place_regions,
    tabulate_anatomy,
)
from fairhuman.evaluation.reader import caption_attributes
from fairhuman.humans import generate


@pytest.fixture(scope="module")
def renders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("renders")
    generate(folder, 16, seed=103, preset="everyday", size=256)
    return HumanFolder(folder)


@pytest.fixture(scope="module")
def seen(renders):
    return judge_anatomy([record.image for record in renders.records], renders.records)


def painted_over(renders, names):
    """Every image with some of its boxes in one colour, a little beyond their edges."""
    images = []
    for sample in renders:
        image = sample.image.copy()
        for box in (sample.boxes.get(name) for name in names):
            if box:
                x0, y0, x1, y1 = (int(edge) for edge in box)
                image[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2] = (90, 140, 90)
        images.append(image)
    return images


def rate(anatomy, measure):
    table = anatomy_rates(anatomy)
    return table[(table.measure == measure) & (table.by == "all")].iloc[0]


def test_the_eyes_of_renders_are_all_there(seen):
    assert rate(seen, "face on crop").value >= 0.9
    assert rate(seen, "hand on crop").value >= 0.75
    assert rate(seen, "fingers").value >= 0.75
    large = seen.regions[(seen.regions.kind == "face") & (seen.regions.area >= 0.04)]
    assert large["shape"].mean() >= 0.85


@pytest.mark.skipif(not has_second_detector(), reason="dlib-bin is not installed")
def test_the_second_detector_sees_renders_too(seen):
    assert rate(seen, "face on crop, second detector").value >= 0.9


def test_without_the_second_detector_its_measure_is_empty(seen):
    regions = seen.regions.assign(second=None)
    assert rate(replace(seen, regions=regions), "face on crop, second detector")["count"] == 0


def test_renders_have_the_hands_that_they_have(seen):
    """The detector misses some, and invents none: the control of the measures that count."""
    assert (seen.images.hands_found <= seen.images.hands_asked).mean() >= 0.95
    assert seen.images.hands_found.sum() >= 0.8 * seen.images.hands_asked.sum()
    assert rate(seen, "unasked hands").value == 0


def test_what_is_painted_over_is_not_found(renders, seen):
    without = judge_anatomy(painted_over(renders, ("face", "left_hand", "right_hand")), renders.records)
    for measure in ("face on crop", "face shape", "hand on crop", "hand in image", "fingers"):
        assert rate(without, measure).value <= 0.1, measure
    table = compare_anatomy(seen, without)
    faces = table[(table.measure == "face on crop") & (table.by == "all")].iloc[0]
    assert faces.value <= -0.9  # no interval: all differ alike
    assert faces.quotient <= 0.1


def test_a_hand_too_many_is_counted(renders, seen):
    """A second close-up of a hand beside the first."""
    close = seen.images.framing == "hand close-up"
    found = seen.images.image[close & (seen.images.hands_found == 1)].tolist()
    images, records = [], []
    for number in found:
        image = renders[number].image
        images.append(np.concatenate([image, image[:, ::-1]], axis=1))
        records.append(renders.records[number])
    twice = judge_anatomy(images, records)
    assert found
    assert (twice.images.hands_found == 2).all()
    assert rate(twice, "too many hands").value == 1


def test_captions_of_renders_are_read_as_what_the_renders_are(renders):
    """Whatever a caption leaves unsaid, nothing is read of it that the render is not."""
    said = 0
    for record in renders.records:
        found, facts = caption_attributes(record.text), record.metadata["attributes"]
        for name, value in found.items():
            assert value in (None, facts[name]), (name, record.text)
            said += value is not None
    assert said >= 3 * len(renders)


# Shapes -----------------------------------------------------------------------------------------------------


def shapes_and_meshes(count=120, points=30):
    """Meshes that vary along four directions, each in a position, size and turn of its own."""
    random = np.random.default_rng(0)
    mean, axes = random.normal(size=(points, 3)), random.normal(size=(4, points, 3))

    def draw():
        shape = mean + np.einsum("k,kpc->pc", 0.1 * random.normal(size=4), axes)
        shape += 0.01 * random.normal(size=mean.shape)
        turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
        turn *= np.sign(np.linalg.det(turn))
        return random.uniform(0.5, 3) * shape @ turn + random.normal(size=3)

    meshes = [draw() for _ in range(count)]
    return FaceShapes.fit(meshes), [draw() for _ in range(200)]


def test_new_shapes_of_the_kind_lie_inside_as_often_as_asked():
    shapes, meshes = shapes_and_meshes()
    inside = np.mean([shapes.holds(mesh) for mesh in meshes])
    assert 0.85 <= inside <= 1.0


def test_position_size_and_turn_do_not_matter():
    shapes, (mesh, *_) = shapes_and_meshes()
    turned = 4 * mesh[:, [1, 2, 0]] - 7
    assert shapes.distance(turned) == pytest.approx(shapes.distance(mesh))
    assert align_shape(turned, mesh) == pytest.approx(mesh)


def test_a_mirrored_shape_is_not_turned_into_its_image():
    _, (mesh, *_) = shapes_and_meshes()
    assert np.abs(align_shape(mesh * [-1, 1, 1], mesh) - mesh).max() > 0.1


def test_a_shifted_part_lies_outside():
    shapes, meshes = shapes_and_meshes()
    for mesh in meshes[:20]:
        shifted = mesh.copy()
        shifted[:5] += 0.3 * np.ptp(mesh, axis=0)
        assert not shapes.holds(shifted)


def test_the_limit_lets_in_the_share_that_is_asked_for():
    """As a reference, the distances of the half that the limit was set on."""
    random = np.random.default_rng(1)
    meshes = [random.normal(size=(8, 3)) * 0.05 + np.eye(8, 3) * 3 for _ in range(400)]
    narrow, wide = (FaceShapes.fit(meshes, share=share) for share in (0.5, 0.95))
    assert narrow.limit < wide.limit
    held = [narrow.holds(mesh) for mesh in meshes]
    assert 0.4 < np.mean(held) < 0.65


def test_shapes_survive_the_disk(tmp_path):
    shapes, meshes = shapes_and_meshes()
    again = FaceShapes.load(shapes.save(tmp_path / "shapes.safetensors"))
    distances = [[one.distance(mesh) for mesh in meshes] for one in (shapes, again)]
    assert distances[0] == pytest.approx(distances[1], rel=1e-3)
    (tmp_path / "other.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="holds no face shapes"):
        FaceShapes.load(tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="at least 40, got 3"):
        FaceShapes.fit(meshes[:3])


# Fingers ----------------------------------------------------------------------------------------------------

ORDER = ("thumb", "index", "middle", "ring", "little")


def hand_of(stretched):
    """Landmarks of a hand seen from the palm, in pixels, with these fingers stretched out."""
    points = np.zeros((21, 3))
    for place, finger in enumerate(ORDER[1:], start=1):
        knuckle = np.array([20.0 * place, -60.0, 0.0])
        steps = [(0, -20, 0)] * 3 if finger in stretched else [(0, -8, -16), (0, 12, -8), (0, 10, 6)]
        points[1 + 4 * place : 5 + 4 * place] = np.cumsum([knuckle, *steps], axis=0)
    outwards = [(-18, -8, 0)] * 3 if "thumb" in stretched else [(14, -10, -6)] * 3
    points[1:5] = np.cumsum([(8.0, -20.0, 0.0), *outwards], axis=0)
    return points


@pytest.mark.parametrize("gesture", GESTURE_FINGERS)
@pytest.mark.parametrize("turn", [0.0, 0.6, 2.5])
def test_fingers_of_a_gesture_are_read_in_any_position(gesture, turn):
    about = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    hand = 1.7 * hand_of(GESTURE_FINGERS[gesture]) @ about.T + 40
    assert extended_fingers(hand) == GESTURE_FINGERS[gesture]
    assert extended_fingers(hand * [-1, 1, 1]) == GESTURE_FINGERS[gesture]


# Places -----------------------------------------------------------------------------------------------------


class Asked:
    """A record as far as places go."""

    def __init__(self, **boxes):
        self.boxes, self.metadata = boxes, {"width": 100, "height": 100}


def found_hand(x, y, half=5.0):
    points = np.full((21, 3), (x, y, 0.0))
    return Hand(0.9, "left", (x - half, y - half, x + half, y + half), points)


NOTHING = Detection(100, 100, (), (), ())
BOTH = Asked(face=(40, 10, 60, 30), left_hand=(70, 20, 80, 30), right_hand=(20, 70, 30, 80))


def test_each_hand_found_stands_for_the_nearest_one_asked_for():
    (places,) = place_regions([BOTH], [NOTHING], [[found_hand(28, 60), found_hand(60, 25)]], [None])
    assert {name: place.by for name, place in places.items()} == {
        "face": "render",
        "left_hand": "found",
        "right_hand": "found",
    }
    assert np.mean(places["left_hand"].box[::2]) == pytest.approx(60)
    assert np.mean(places["right_hand"].box[::2]) == pytest.approx(28)


def test_one_hand_is_not_taken_for_two():
    (places,) = place_regions([BOTH], [NOTHING], [[found_hand(72, 22)]], [None])
    assert [places[name].by for name in ("left_hand", "right_hand")] == ["found", "render"]


def test_the_pose_places_what_no_detector_finds_but_not_a_hand_alone():
    marks = np.zeros((33, 3))
    marks[:11, :2], marks[7, :2], marks[8, :2] = (52, 22), (57, 22), (47, 22)
    marks[[13, 14], :2], marks[[15, 17, 19, 21], :2], marks[[16, 18, 20, 22], :2] = 50, (75, 28), (22, 68)
    body = Body(100, 100, marks)
    (places,) = place_regions([BOTH], [NOTHING], [[]], [body])
    assert {place.by for place in places.values()} == {"pose"}
    assert np.mean(places["left_hand"].box[1::2]) == pytest.approx(28)
    alone = Asked(left_hand=(20, 20, 80, 80))
    (places,) = place_regions([alone], [NOTHING], [[]], [body])
    assert places["left_hand"].by == "render"


def test_places_follow_the_size_of_the_image():
    face = Face(0.9, (80.0, 20.0, 120.0, 60.0), np.zeros((6, 2)))
    large = Detection(200, 200, (face,), (), ())
    (places,) = place_regions([BOTH], [large], [[]], [None])
    assert places["face"].by == "found"
    assert np.mean(places["face"].box[::2]) == pytest.approx(100)
    assert places["left_hand"].box == (140, 40, 160, 60)
    with pytest.raises(ValueError, match="must be of one length"):
        place_regions([BOTH], [], [[]], [None])


# Rates ------------------------------------------------------------------------------------------------------


def made_up(hits, hands=1):
    """An anatomy with one face per image found as told, and so many hands each, found likewise."""
    rows = []
    for image, hit in enumerate(hits):
        common = {"image": image, "framing": "upper body", "placed": "found", "whole": hit, "crop": hit}
        rows.append({"region": "face", "kind": "face", "area": 0.02, "second": hit, "shape": hit} | common)
        rows += [{"region": name, "kind": "hand", "area": 0.005, "second": None, "shape": None} | common
                 for name in ("left_hand", "right_hand")[:hands]]  # fmt: skip
    images = [
        {"image": n, "framing": "upper body", "hands_asked": hands, "hands_found": hands, "gesture": None,
         "hand": None, "fingers": None} for n in range(len(hits))
    ]  # fmt: skip
    return Anatomy(pd.DataFrame(rows), pd.DataFrame(images))


def test_two_hands_of_a_prompt_do_not_count_as_two_prompts():
    hits = [True] * 15 + [False] * 15
    one, two = (rate(made_up(hits, hands), "hand on crop") for hands in (1, 2))
    assert (one["count"], two["count"]) == (30, 60)
    assert one.n == two.n == 30
    assert two.high - two.low == pytest.approx(one.high - one.low, abs=0.06)


def test_seeds_of_a_prompt_are_resampled_together():
    hits = [True] * 15 + [False] * 15
    alone = rate(made_up(hits), "face on crop")
    table = anatomy_rates(made_up(hits * 4), [*range(30)] * 4)
    pooled = table[(table.measure == "face on crop") & (table.by == "all")].iloc[0]
    assert pooled.n == 30
    assert pooled.high - pooled.low == pytest.approx(alone.high - alone.low, abs=0.06)


def test_nothing_wrong_still_has_an_interval():
    row = rate(made_up([True] * 12, hands=2), "hand on crop")
    assert row.value == 1
    assert 0.5 < row.low < 1


def test_a_system_against_itself_differs_in_nothing():
    anatomy = made_up([True, False] * 10)
    table = compare_anatomy(anatomy, anatomy)
    told = table[table["count"] > 0]
    assert (told.value == 0).all()
    assert not told.supported.any()
    with pytest.raises(ValueError, match="of the same records"):
        compare_anatomy(anatomy, made_up([True] * 20, hands=2))


def test_a_comparison_is_second_minus_first_and_second_over_first():
    table = compare_anatomy(made_up([True] * 20), made_up([True] * 5 + [False] * 15))
    row = table[(table.measure == "face on crop") & (table.by == "all")].iloc[0]
    assert (row.value, row.quotient, row.n) == (pytest.approx(-0.75), pytest.approx(0.25), 20)
    assert row.supported and row.high < 0


def test_every_region_is_in_one_bin_of_area(seen):
    table = anatomy_rates(seen)
    for measure, rows in table[table.measure.isin(["face on crop", "hand on crop"])].groupby("measure"):
        counts = rows.groupby("by")["count"].sum()
        assert counts["area"] == counts["framing"] == counts["all"], measure
    assert set(tabulate_anatomy(seen).value.dropna()) <= {0.0, 1.0, 2.0}
