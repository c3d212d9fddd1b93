"""Fits the shapes that renders' faces span, and measures them on renders of another seed.

    python benchmarks/face_shapes.py DATA HELDOUT [--images 1500]

DATA and HELDOUT are renders of one preset and of different seeds. Writes
fairhuman/evaluation/anatomy/face_shapes.safetensors from the faces of DATA, and
results/base/face_shapes.json: the share of HELDOUT's faces inside, by area, as they are and
spoiled in four ways. Takes minutes.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from fairhuman.boxes import Box
from fairhuman.data import HumanFolder
from fairhuman.detectors import detect_meshes
from fairhuman.evaluation import estimate_proportion, expected_regions
from fairhuman.evaluation.anatomy import FACE_SHAPES, FaceShapes
from fairhuman.evaluation.crops import cut_crops
from fairhuman.evaluation.detection_rates import AREA_EDGES, area_names
from fairhuman.results import write_result


def main() -> None:
    arguments = _arguments()
    data, heldout = (HumanFolder(folder) for folder in (arguments.data, arguments.heldout))
    seeds = [folder.records[0].metadata.get("seed") for folder in (data, heldout)]
    if seeds[0] == seeds[1]:
        raise SystemExit(f"HELDOUT: must be drawn from another seed than DATA, got {seeds[1]} for both")
    looking = {"workers": arguments.workers, "cache": arguments.cache}
    places, crops = face_crops(data, arguments.images, least=AREA_EDGES[0])
    meshes = [mesh for mesh in detect_meshes(crops, **looking) if mesh is not None]
    shapes = FaceShapes.load(FaceShapes.fit(meshes).save(arguments.output))
    print(f"{len(meshes)} of {len(places)} faces fitted, {len(shapes.axes)} axes, limit {shapes.limit:.3f}")
    rows = []
    for name, spoil in SPOILED.items():
        places, crops = face_crops(heldout, len(heldout), spoil=spoil)
        found = detect_meshes(crops, **looking)
        inside = np.array([mesh is not None and shapes.holds(mesh) for mesh in found])
        bins = np.searchsorted(AREA_EDGES, places.area, side="right")
        for place, area in enumerate(area_names()):
            chosen = inside[bins == place]
            estimate = estimate_proportion(int(chosen.sum()), len(chosen))
            rows.append({"faces": name, "area": area, **estimate.stored()})
            print(f"{name:16} {area:6} inside {estimate.value:.3f} n={estimate.n}")
    values = {"inside": rows, "axes": len(shapes.axes), "limit": shapes.limit, "fitted": len(meshes)}
    parameters = {
        "data": Path(arguments.data).name,
        "heldout": Path(arguments.heldout).name,
        "seeds": seeds,
        "images": min(arguments.images, len(data)),
    }
    print(write_result("base", "face_shapes", values, parameters=parameters, samples=len(meshes), seed=0))


def face_crops(data: HumanFolder, count: int, least: float = 0.0, spoil=None):
    """Crops of the faces that a detector should find in the first images: their areas, and the pixels."""
    records = data.records[:count]
    truth = expected_regions(records)
    chosen = truth.index[truth.face_expected & (truth.face_area >= least)]
    boxes = [{"face": records[index].boxes["face"]} for index in chosen]
    images = [data[index].image for index in chosen]
    if spoil is not None:
        images = [spoil(image, box["face"]) for image, box in zip(images, boxes, strict=True)]
    places, crops = cut_crops(images, boxes)
    return pd.DataFrame({"area": truth.face_area[chosen[places.image]].to_numpy()}), crops


def with_eyes_twice(image: np.ndarray, box: Box) -> np.ndarray:
    """The upper half of the face mirrored into the lower one."""
    x0, y0, x1, y1 = (round(edge) for edge in box)
    half, spoiled = (y1 - y0) // 2, image.copy()
    spoiled[y1 - half : y1, x0:x1] = image[y0 : y0 + half, x0:x1][::-1]
    return spoiled


def shuffled(image: np.ndarray, box: Box) -> np.ndarray:
    """The face cut into three by three pieces, which have changed places."""
    x0, y0, x1, y1 = (round(edge) for edge in box)
    high, wide, spoiled = (y1 - y0) // 3, (x1 - x0) // 3, image.copy()
    for place, piece in enumerate((4, 6, 1, 8, 3, 0, 2, 5, 7)):
        (row, column), (top, left) = divmod(place, 3), divmod(piece, 3)
        spoiled[y0 + row * high : y0 + (row + 1) * high, x0 + column * wide : x0 + (column + 1) * wide] = (
            image[y0 + top * high : y0 + (top + 1) * high, x0 + left * wide : x0 + (left + 1) * wide]
        )
    return spoiled


def wavy(image: np.ndarray, box: Box) -> np.ndarray:
    """The whole image bent in waves of half a face's width, a twentieth of it high."""
    width = box[2] - box[0]
    down, across = np.indices(image.shape[:2])
    rows = down + width / 20 * np.sin(4 * np.pi * across / width)
    columns = across + width / 20 * np.sin(4 * np.pi * down / width)
    edges = image.shape[0] - 1, image.shape[1] - 1
    return image[
        np.clip(rows.round().astype(int), 0, edges[0]), np.clip(columns.round().astype(int), 0, edges[1])
    ]


def blurred(image: np.ndarray, box: Box) -> np.ndarray:
    """The face blurred by a twelfth of its width."""
    x0, y0, x1, y1 = (round(edge) for edge in box)
    soft, spoiled = Image.fromarray(image).filter(ImageFilter.GaussianBlur((x1 - x0) / 12)), image.copy()
    spoiled[y0:y1, x0:x1] = np.asarray(soft)[y0:y1, x0:x1]
    return spoiled


SPOILED = {
    "as rendered": None,
    "eyes twice": with_eyes_twice,
    "shuffled": shuffled,
    "wavy": wavy,
    "blurred": blurred,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="renders that the shapes are fitted on")
    parser.add_argument("heldout", help="renders of another seed")
    parser.add_argument("--images", type=int, default=1500, help="of DATA, the first ones")
    parser.add_argument("--output", default=str(FACE_SHAPES), help="file of the shapes")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cache", help="folder of earlier findings")
    return parser.parse_args()


if __name__ == "__main__":
    main()
