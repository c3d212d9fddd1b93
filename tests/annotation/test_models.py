"""Depth and captions by models at hand, boxes by YOLO weights: tiny networks, and a stand-in package."""

import inspect
import json
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from damaged import photograph
from depth_models import write_depth_model
from PIL import Image

from fairhuman.data import HumanFolder, condition_pixels
from fairhuman.data.annotation import AnnotateSettings, annotate
from fairhuman.data.annotation._models import CaptionModel, DepthModel
from fairhuman.detectors._yolo import YoloDetector


@pytest.fixture(scope="module")
def depth_model(tmp_path_factory):
    return write_depth_model(tmp_path_factory.mktemp("depth"))


@pytest.fixture(scope="module")
def caption_model(tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        BertTokenizerFast,
        BlipConfig,
        BlipForConditionalGeneration,
        BlipImageProcessor,
        BlipProcessor,
    )

    folder = tmp_path_factory.mktemp("caption")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "a", "person", "waving"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BlipConfig(
        vision_config=sizes | {"image_size": 32, "patch_size": 16},
        text_config=sizes | {"vocab_size": len(words), "encoder_hidden_size": 16, "bos_token_id": 5,
                             "sep_token_id": 3, "eos_token_id": 3, "pad_token_id": 0,
                             "max_position_embeddings": 128},
        projection_dim=16, image_text_hidden_size=16,
    )  # fmt: skip
    torch.manual_seed(0)
    network = BlipForConditionalGeneration(config)
    # It says "person" at every step, whatever it sees.
    network.text_decoder.cls.predictions.decoder.bias.data[words.index("person")] = 50.0
    network.save_pretrained(folder)
    processor = BlipProcessor(
        BlipImageProcessor(size={"height": 32, "width": 32}),
        BertTokenizerFast(tokenizer_object=tokenizer, bos_token="[DEC]"),
    )
    processor.save_pretrained(folder)
    return folder


def test_a_photograph_gets_a_depth_map_and_a_caption(tmp_path, depth_model, caption_model):
    (tmp_path / "in").mkdir()
    photograph().save(tmp_path / "in" / "a.jpg")
    photograph().crop((0, 0, 500, 590)).save(tmp_path / "in" / "b.jpg")
    (tmp_path / "in" / "b.txt").write_text("an officer")
    settings = AnnotateSettings(
        min_side=300, scales=1, duplicate_distance=-1, caption_model=str(caption_model),
        depth_model=str(depth_model),
    )  # fmt: skip
    done = annotate(tmp_path / "in", tmp_path / "out", settings, progress=False)
    assert done.kept == 2
    samples = HumanFolder(tmp_path / "out", conditions=("pose", "depth"))
    # What somebody wrote comes before what a model says.
    assert samples.captions[1] == "an officer" and set(samples.captions[0].split()) == {"person"}
    assert samples[0].depth.shape == samples[0].size and samples[0].depth.min() >= 1


def test_the_condition_shows_what_the_model_gave(depth_model):
    picture = photograph()
    model = DepthModel(str(depth_model), "cpu")
    assert not model.metric
    inputs = model._processor(images=picture, return_tensors="pt")
    with torch.no_grad():
        raw = model._network(**inputs)
    size = [(picture.height, picture.width)]
    near = model._processor.post_process_depth_estimation(raw, size)[0]["predicted_depth"]
    shown = condition_pixels("depth", torch.from_numpy(model(picture).astype(np.float32))[None])[0]
    assert (shown / 255 - near / near.max()).abs().max() < 0.02
    model.metric = True  # then the numbers are metres themselves
    assert np.abs(model(picture) - 1000 * near.numpy()).max() <= 1


def test_a_folder_without_a_model_stops_before_any_work(tmp_path):
    (tmp_path / "in").mkdir()
    photograph().save(tmp_path / "in" / "a.jpg")
    for name in ("depth_model", "caption_model"):
        with pytest.raises(FileNotFoundError, match=f"{name}: .* holds no config.json .*hf download"):
            annotate(tmp_path / "in", tmp_path / "out", AnnotateSettings(**{name: str(tmp_path)}))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["depth", "caption"])
def test_code_in_a_model_s_folder_is_neither_run_nor_asked_about(tmp_path, kind, monkeypatch):
    auto = dict.fromkeys(("AutoConfig", "AutoProcessor", "AutoImageProcessor"), "planted.Class")
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_text(json.dumps({"model_type": "planted", "auto_map": auto}))
    (tmp_path / "planted.py").write_text("raise SystemExit('ran')")
    monkeypatch.setattr("builtins.input", lambda *words: pytest.fail("asked"))
    make = {
        "depth": lambda: DepthModel(str(tmp_path), "cpu"),
        "caption": lambda: CaptionModel(str(tmp_path), None, "cpu"),
    }
    with pytest.raises(ValueError, match="custom code|[Uu]nrecognized"):
        make[kind]()


def test_yolo_weights_without_the_package_say_how_to_get_it(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    photograph().save(tmp_path / "in" / "a.jpg")
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    with pytest.raises(FileNotFoundError, match="hand_weights: no such file"):
        annotate(tmp_path / "in", tmp_path / "out", AnnotateSettings(hand_weights="absent.pt"))
    (tmp_path / "weights.pt").touch()
    settings = AnnotateSettings(hand_weights=str(tmp_path / "weights.pt"))
    with pytest.raises(RuntimeError, match="hand_weights: .*pip install ultralytics"):
        annotate(tmp_path / "in", tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()


class _Network:
    """Finds a box of pure red, in the array that ultralytics takes: BGR. Dies of pure blue."""

    def __init__(self, weights):
        self.weights = weights

    def predict(self, pixels, conf, **options):
        if (pixels == (255, 0, 0)).all(axis=2).any():
            os._exit(1)
        rows, columns = np.nonzero((pixels == (0, 0, 255)).all(axis=2))
        boxes = torch.empty(0, 4), torch.empty(0)
        if rows.size:
            corners = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            boxes = torch.tensor([corners], dtype=torch.float32), torch.tensor([0.9])
        return [SimpleNamespace(boxes=SimpleNamespace(xyxy=boxes[0], conf=boxes[1]))]


def test_boxes_of_yolo_are_added_and_one_worker_outlives_a_crash(tmp_path, monkeypatch):
    package = tmp_path / "packages/ultralytics.py"  # a file, which the worker's process finds too
    package.parent.mkdir()
    imports = "import os\nimport numpy as np\nimport torch\nfrom types import SimpleNamespace\n"
    package.write_text(imports + inspect.getsource(_Network) + "YOLO = _Network\n")
    monkeypatch.syspath_prepend(package.parent)
    weights = tmp_path / "weights.pt"
    weights.touch()
    pixels = np.asarray(photograph()).copy()
    pixels[400:440, 60:90] = 255, 0, 0
    assert YoloDetector("hand_weights", str(weights), 0.5, "cpu")(pixels)[0][1] == (60, 400, 90, 440)
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels).save(tmp_path / "in" / "b.png")
    pixels[0, 0] = 0, 0, 255
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png")
    settings = AnnotateSettings(min_side=300, caption="a person", hand_weights=str(weights), hand_padding=0)
    annotate(tmp_path / "in", tmp_path / "out", settings, progress=False)
    (line,) = (tmp_path / "out/metadata.jsonl").read_text().splitlines()
    assert [60, 400, 90, 440] in json.loads(line)["hand_boxes"]
    (refused,) = map(json.loads, (tmp_path / "out/rejected.jsonl").read_text().splitlines())
    assert refused["original"] == "a.png" and "brought the process that read it down" in refused["reason"]
    sample = HumanFolder(tmp_path / "out")[0]
    assert sample.masks["hand"][400:440, 60:90].all() and sample.masks["face"].any()
