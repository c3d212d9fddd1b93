"""Images with enlarged faces and hands and their detections (notebooks 01 and 06)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import traitlets
from matplotlib.ticker import LogLocator
from PIL import Image

from fairhuman.evaluation.truth import expected_regions
from fairhuman.experiments.close_ups import shown_square
from fairhuman.experiments.figures import PAGE, colour, label
from fairhuman.experiments.motivation import framing_of
from fairhuman.explorers._explorer import Explorer
from fairhuman.explorers._pictures import urls, webp
from fairhuman.images import as_rgb
from fairhuman.profiles import unknown

if TYPE_CHECKING:
    from fairhuman.boxes import Box
    from fairhuman.data import HumanRecord
    from fairhuman.detectors import Detection
    from fairhuman.images import ImageLike

__all__ = ["RegionExplorer"]

_REGIONS = ("face", "hand")
_FOUND = {"face": "faces", "face_short": "short_range_faces", "hand": "hands", "palm": "palms"}
_SHARP = 1024  # pixels


class RegionExplorer(Explorer):
    """Several systems' images of the same captions: regions by area, enlarged, with detections and scores.

    All images are stored with the explorer, as large as ``limit`` allows. With a kernel, the current image is
    shown at full size.

    Args:
        images: System → one image per caption, as paths, arrays or PIL images.
        found: System → detections in each image.
        records: The renders with the prompts as captions; they define the requested areas.
        limit: Maximum number of characters of the images in a notebook.
        caption: Index of the caption.
        system: The system. Default: the last.
        framing: Restrict captions to this framing; "" allows all.
        region: ``face`` or ``hand``, for the axis of areas and scores.

    Raises:
        ValueError: A system's number of images or detections differs from the number of captions.
        traitlets.TraitError: A value is out of range.
    """

    name = "regions"
    state = ("caption", "system", "framing", "region")
    data = ("captions", "systems", "sharp")

    captions = traitlets.List().tag(sync=True)
    systems = traitlets.List().tag(sync=True)
    sharp = traitlets.Dict().tag(sync=True)
    """Values available only in Python: the image ``at`` (system, caption) in full size."""

    caption = traitlets.Int(0, min=0).tag(sync=True)
    system = traitlets.Unicode().tag(sync=True)
    framing = traitlets.Unicode().tag(sync=True)
    region = traitlets.Enum(_REGIONS, "hand").tag(sync=True)

    def __init__(
        self,
        images: Mapping[str, Sequence[ImageLike]],
        found: Mapping[str, Sequence[Detection]],
        records: Sequence[HumanRecord],
        *,
        limit: int = 500_000,
        **start: Any,
    ) -> None:
        if not images or not records:
            raise ValueError(f"images: at least one system and caption, got {len(images)} and {len(records)}")
        for name, own in images.items():
            if not len(own) == len(found.get(name, ())) == len(records):
                counts = f"{len(own)} images and {len(found.get(name, ()))} detections"
                raise ValueError(f"images: {name!r} needs {len(records)} images and detections, got {counts}")
        self._images = {name: [Image.fromarray(as_rgb(one)) for one in own] for name, own in images.items()}
        small = iter(urls([image for own in self._images.values() for image in own], limit))
        systems = [
            {"name": name, "label": label(name), "shade": colour(name)}
            | {"images": [_image(next(small), *one) for one in zip(own, found[name], records, strict=True)]}
            for name, own in self._images.items()
        ]
        start = {"system": [*images][-1]} | start
        super().__init__(captions=_captions(records), systems=systems, **start)
        self._sharpen()
        self.observe(self._sharpen, ["caption", "system"])

    def _sharpen(self, change: object = None) -> None:
        image = webp(self._images[self.system][self.caption], _SHARP, quality=90)
        self.sharp = {"at": [self.system, self.caption], "image": image}

    @traitlets.validate("caption")
    def _check_caption(self, proposal: Any) -> int:
        if proposal["value"] >= len(self.captions):
            raise traitlets.TraitError(
                f"caption: must be below {len(self.captions)}, got {proposal['value']}"
            )
        return proposal["value"]

    @traitlets.validate("system", "framing")
    def _check_name(self, proposal: Any) -> str:
        name, value = proposal["trait"].name, proposal["value"]
        framings = ["", *dict.fromkeys(one["framing"] for one in self.captions)]
        known = [*self._images] if name == "system" else framings
        if value not in known:
            raise traitlets.TraitError(f"{name}: {unknown(value, known)}")
        return value

    def _drawn(self) -> plt.Figure:
        figure, panels = plt.subplots(1, 4, figsize=(PAGE, 2.0), width_ratios=(1, 1, 1, 1.8))
        image = self._images[self.system][self.caption]
        own = {one["name"]: one["images"] for one in self.systems}
        shown = own[self.system][self.caption]
        titles = (label(self.system), "face", "hand")
        for panel, title in zip(panels[:3], titles, strict=True):
            panel.imshow(image, extent=(0, 1, 1, 0), aspect=image.height / image.width)
            panel.set_title(title)
            panel.set_axis_off()
            for one in shown["found"]:
                if one["detector"] in _REGIONS:
                    (x0, y0, x1, y1), shade = one["box"], colour(one["detector"])
                    panel.add_patch(plt.Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=shade))
            square = shown["squares"].get(title)
            if square:
                panel.set(xlim=square[::2], ylim=square[3:0:-2])
            elif title in _REGIONS:
                panel.set_visible(False)
        for name, images in own.items():
            asked = [i for i, one in enumerate(self.captions) if one["asked"][self.region]]
            areas = [100 * self.captions[i]["areas"][self.region] for i in asked]
            scores = [images[i]["scores"][self.region] for i in asked]
            panels[3].plot(areas, scores, "o", color=colour(name), alpha=0.7, label=label(name))
        panels[3].set(xscale="log", xlabel=f"{self.region} asked for, % of the image", ylabel="best score")
        panels[3].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))  # a decade's label alone says little
        panels[3].xaxis.set_major_formatter("{x:g}")
        panels[3].minorticks_off()
        figure.legend(*panels[3].get_legend_handles_labels(), loc="outside lower right", ncols=len(own))
        return figure


def _captions(records: Sequence[HumanRecord]) -> list[dict[str, Any]]:
    truth = expected_regions(records).to_dict("records")
    return [
        {
            "text": record.text,
            "framing": framing_of(record),
            "areas": {region: float(one[f"{region}_area"]) for region in _REGIONS},
            "asked": {region: bool(one[f"{region}_expected"]) for region in _REGIONS},
        }
        for record, one in zip(records, truth, strict=True)
    ]


def _image(small: str, image: Image.Image, detection: Detection, record: HumanRecord) -> dict[str, Any]:
    """An image in the browser's format, with boxes and squares relative to its sides."""
    found = [
        {"detector": name, "box": _shares(one.box, detection), "score": _score(one)}
        for name, kind in _FOUND.items()
        for one in getattr(detection, kind)
    ]
    scores = {
        region: max((one["score"] for one in found if one["detector"] == region), default=0.0)
        for region in _REGIONS
    }
    places = {region: shown_square(record, region, detection) for region in _REGIONS}
    squares = {region: place and _shares(place, detection) for region, place in places.items()}
    aspect = image.height / image.width
    return {"image": small, "aspect": aspect, "found": found, "scores": scores, "squares": squares}


def _score(one: Any) -> float:
    score = one.handedness if hasattr(one, "handedness") else one.score
    return 0.0 if score is None else round(float(score), 3)


def _shares(box: Box, detection: Detection) -> list[float]:
    sides = (detection.width, detection.height) * 2
    return [round(float(value) / side, 4) for value, side in zip(box, sides, strict=True)]
