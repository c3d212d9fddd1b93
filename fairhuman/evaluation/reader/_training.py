"""How the reader is trained: on renders, whose attributes are known, and on their heads and hands."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from fairhuman.boxes import cut_square
from fairhuman.data import HumanFolder
from fairhuman.evaluation.reader._attributes import ATTRIBUTES, known_attributes
from fairhuman.evaluation.reader._network import ReaderNetwork
from fairhuman.evaluation.reader._reader import AttributeReader
from fairhuman.evaluation.reader._views import MARGINS, SIDES, fit
from fairhuman.evaluation.statistics import estimate_proportion
from fairhuman.settings import Count, Folder, Place, Positive, Settings, Unsigned, Whole

_JITTER = 9 / 8  # crops are stored this much larger than they are looked at
_LEAST_BOX = 12  # pixels; a smaller face or hand shows no attribute


class ReaderSettings(Settings):
    """A training of the attribute reader.

    Attributes:
        data: Folder of the training set.
        heldout: Folder of the renders that its accuracy is measured on.
        output: File of the weights.
        images: How many of the training images, the first ones, are used; 0 means all.
        epochs: Passes over the training set.
        batch_size: Views a step.
        learning_rate: Peak of AdamW; one cycle of rise and fall.
        weight_decay: Decoupled decay.
        seed: Decides the weights at the start and every draw.

    Raises:
        ValueError, TypeError: The message names the field, the rule and the value found.
    """

    data: Folder
    heldout: Folder
    output: Place
    images: Whole = 0
    epochs: Count = 14
    batch_size: Count = 64
    learning_rate: Positive = 4e-3
    weight_decay: Unsigned = 1e-2
    seed: Whole = 0


@dataclass(frozen=True)
class Views:
    """Pixels (count, 3, side, side), uint8, and the values known of them (None: not known)."""

    pixels: Tensor
    known: list[dict[str, str | None]]


def train_reader(settings: ReaderSettings, progress: bool = True) -> dict[str, Any]:
    """Train the reader, measure it on held-out renders and write its weights.

    It takes minutes, so an interrupted one starts again.

    Returns:
        For :func:`fairhuman.results.write_result`: ``accuracy`` (rows with ``view``, ``attribute``, the
        share read rightly with its interval, ``chance``, the share of the commonest value), ``curve``
        (rows with ``view``, ``epoch``, ``loss``, ``minutes``), ``training`` and ``heldout`` (how many views).

    Raises:
        ValueError, FileNotFoundError: A data set that is missing or has no attributes.
    """
    training, heldout = read_views(settings.data, settings.images), read_views(settings.heldout)
    networks, classes, curve = {}, {}, []
    for view, views in training.items():
        values = {
            name: sorted({value for known in views.known if (value := known[name]) is not None})
            for name in ATTRIBUTES[view]
        }
        classes[view] = {name: names for name, names in values.items() if len(names) > 1}
        networks[view], rows = _train_view(view, views, classes[view], settings, progress)
        curve += rows
    reader = AttributeReader(networks, classes)
    Path(settings.output).parent.mkdir(parents=True, exist_ok=True)
    path = reader.save(settings.output)
    return {
        "accuracy": measure_accuracy(AttributeReader.load(path), heldout),
        "curve": curve,
        "training": {view: len(views.known) for view, views in training.items()},
        "heldout": {view: len(views.known) for view, views in heldout.items()},
    }


def measure_accuracy(reader: AttributeReader, heldout: Mapping[str, Views]) -> list[dict[str, Any]]:
    """Share of each attribute read rightly where it is known, with its interval, and chance beside it."""
    rows = []
    for view, views in heldout.items():
        side = reader.networks[view].side
        inner = _inner(views.pixels, side).permute(0, 2, 3, 1).numpy()
        read = reader.read(inner, view)
        for name in reader.classes[view]:
            truth = np.array([known[name] for known in views.known], dtype=object)
            asked = np.array([value is not None for value in truth])
            counts = np.unique(truth[asked].astype(str), return_counts=True)[1]
            right = int((read[name].to_numpy()[asked] == truth[asked]).sum())
            row = {"view": view, "attribute": name, **estimate_proportion(right, int(asked.sum())).stored()}
            rows.append(row | {"chance": float(counts.max() / counts.sum()) if counts.size else None})
    return rows


def read_views(folder: str, images: int = 0) -> dict[str, Views]:
    """The views of a rendered data set, or of its first images, cut a little larger than they are looked at.

    Raises:
        ValueError: An image without attributes; the message names it.
    """
    data = HumanFolder(folder, regions=())
    pixels: dict[str, list[Tensor]] = {view: [] for view in SIDES}
    known: dict[str, list[dict[str, str | None]]] = {view: [] for view in SIDES}
    for index, record in enumerate(data.records[: images or None]):
        attributes = record.metadata.get("attributes")
        if not attributes:
            raise ValueError(f"{record.place}: has no attributes; the reader is trained on renders")
        for view, side, cut in _cuts(data[index].image, record.boxes):
            pixels[view].append(fit([cut], round(_JITTER * SIDES[view]))[0])
            known[view].append(known_attributes(attributes, view, side))
    return {view: Views(torch.stack(pixels[view]), known[view]) for view in SIDES if pixels[view]}


def _cuts(image: np.ndarray, boxes: Mapping[str, Any]) -> Iterator[tuple[str, str, np.ndarray]]:
    yield "whole", "", image
    for view, side, name in (
        ("head", "", "face"),
        ("hand", "left", "left_hand"),
        ("hand", "right", "right_hand"),
    ):
        box = boxes.get(name)
        if box and min(box[2] - box[0], box[3] - box[1]) >= _LEAST_BOX:
            yield view, side, cut_square(image, box, _JITTER * MARGINS[view])


def _train_view(
    view: str, views: Views, classes: Mapping[str, list[str]], settings: ReaderSettings, progress: bool
) -> tuple[ReaderNetwork, list[dict[str, Any]]]:
    draw = torch.Generator().manual_seed(settings.seed)
    labels = {
        name: torch.tensor([-1 if (v := k[name]) is None else values.index(v) for k in views.known])
        for name, values in classes.items()
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = ReaderNetwork(SIDES[view], {name: len(values) for name, values in classes.items()})
    network.to(memory_format=torch.channels_last).train()  # ty: ignore[no-matching-overload]: in no overload
    count, size = len(views.known), min(settings.batch_size, len(views.known))
    steps = settings.epochs * (count // size)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=steps + 1)
    rows, began = [], time.monotonic()
    for epoch in tqdm(range(settings.epochs), desc=view, disable=not progress):
        order, losses = torch.randperm(count, generator=draw), []
        for start in range(0, count - size + 1, size):
            chosen = order[start : start + size]
            scores = network.scores(_varied(views.pixels[chosen], network.side, draw))
            terms = [
                cross_entropy(scores[name], label[chosen], ignore_index=-1, label_smoothing=0.05)
                for name, label in labels.items()
                if (label[chosen] >= 0).any()
            ]
            loss = torch.stack(terms).mean()
            if not torch.isfinite(loss):
                raise FloatingPointError(f"reader: loss of {view} is not finite in epoch {epoch}")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        minutes = (time.monotonic() - began) / 60
        rows.append(
            {"view": view, "epoch": epoch + 1, "loss": float(np.mean(losses)), "minutes": round(minutes, 2)}
        )
    return network, rows


def _varied(pixels: Tensor, side: int, draw: torch.Generator) -> Tensor:
    """A crop of each image at a random place, half of them mirrored: no attribute names a side."""
    spare = pixels.shape[-1] - side
    varied = torch.empty(*pixels.shape[:2], side, side, dtype=torch.uint8)
    for place, image in enumerate(pixels):
        top, left, mirrored = (int(v) for v in torch.randint(0, 2 * spare + 2, (3,), generator=draw))
        top, left = top % (spare + 1), left % (spare + 1)
        view = image[:, top : top + side, left : left + side]
        varied[place] = view.flip(-1) if mirrored % 2 else view
    return varied


def _inner(pixels: Tensor, side: int) -> Tensor:
    edge = (pixels.shape[-1] - side) // 2
    return pixels[..., edge : edge + side, edge : edge + side]


def stored_parameters(settings: ReaderSettings) -> dict[str, Any]:
    """The settings without places of this machine."""
    names = {name: Path(getattr(settings, name)).name for name in ("data", "heldout", "output")}
    return settings.to_dict() | names
