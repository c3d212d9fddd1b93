"""Regions cut out and enlarged: to be judged at full size, or re-inpainted as ADetailer does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from fairhuman.boxes import largest
from fairhuman.seeds import sample_generator

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

    from fairhuman.boxes import Box
    from fairhuman.data import HumanRecord
    from fairhuman.detectors import Detection

__all__ = [
    "close_up",
    "close_up_prompts",
    "redraw_close_ups",
    "region_square",
    "shown_square",
    "square_around",
    "with_close_ups",
]

Square = tuple[int, int, int, int]


def region_square(
    record: HumanRecord, region: str, margin: float = 1.0, detection: Detection | None = None
) -> Square | None:
    """A square around a face or hand, (x0, y0, x1, y1) in pixels, inside the image.

    Args:
        record: A render or an annotated photograph.
        region: ``face`` or ``hand``.
        margin: By how much of its longer side the box is widened, on both sides together. A generated image
            has its face only roughly where the render has it, so the cut must be generous.
        detection: What was found in the image itself, which may be another than the record's: one of its
            caption.

    Returns:
        Around the best that was found; else around the record's face or larger hand, None where it has none.
    """
    box = _found(detection, region) or _annotated(record, region)
    if box is None:
        return None
    return square_around(box, (int(record.metadata["width"]), int(record.metadata["height"])), margin)


def shown_square(
    record: HumanRecord, region: str, detection: Detection, margin: float = 1.0
) -> Square | None:
    """:func:`region_square` in the image of the detection, which may have another size than the record's."""
    if (box := _found(detection, region)) is None:
        if (asked := _annotated(record, region)) is None:
            return None
        across = detection.width / int(record.metadata["width"])
        down = detection.height / int(record.metadata["height"])
        box = asked[0] * across, asked[1] * down, asked[2] * across, asked[3] * down
    return square_around(box, (detection.width, detection.height), margin)


def square_around(box: Box, size: tuple[int, int], margin: float = 1.0) -> Square:
    """A square around a box, inside the image.

    Args:
        box: In pixels.
        size: Width and height of the image in pixels.
        margin: By how much of its longer side the box is widened, on both sides together.

    >>> square_around((10, 10, 20, 14), (100, 50))
    (5, 2, 25, 22)
    """
    x0, y0, x1, y1 = box
    width, height = size
    side = min(round((1 + margin) * max(x1 - x0, y1 - y0)), width, height)
    left = int(np.clip(round((x0 + x1 - side) / 2), 0, width - side))
    top = int(np.clip(round((y0 + y1 - side) / 2), 0, height - side))
    return left, top, left + side, top + side


def _found(detection: Detection | None, region: str) -> Box | None:
    found = () if detection is None else detection.faces if region == "face" else detection.hands
    return found[0].box if found else None


def _annotated(record: HumanRecord, region: str) -> Box | None:
    names = ("face",) if region == "face" else ("left_hand", "right_hand")
    return largest(box for name in names if (box := record.boxes.get(name)))


def close_up(image: Image.Image, square: Square, side: int = 256) -> Image.Image:
    """The square cut out and brought to ``side`` pixels; nothing is added that was not there."""
    return image.crop(square).resize((side, side), Image.Resampling.LANCZOS)


def with_close_ups(
    image: Image.Image, record: HumanRecord, detection: Detection, side: int = 256
) -> Image.Image:
    """An image with its face and its hand beneath, enlarged and framed in their colours.

    Args:
        image: In RGB.
        record: Of the render whose caption was the prompt.
        detection: What was found in the image; where nothing was, the record tells the place. A region that
            neither has is left white.
        side: Width in pixels.
    """
    from fairhuman.experiments.figures import colour  # what only cuts needs no drawings

    height, half = round(side * image.height / image.width), side // 2
    whole = Image.new("RGB", (side, height + half), "white")
    whole.paste(image.resize((side, height), Image.Resampling.LANCZOS), (0, 0))
    border = max(1, side // 64)
    for place, region in enumerate(("face", "hand")):
        square = shown_square(record, region, detection)
        if square is not None:
            framed = ImageOps.expand(close_up(image, square, half - 2 * border), border, colour(region))
            whole.paste(framed, (place * half, height))
    return whole


def close_up_prompts(records: Sequence[HumanRecord], region: str) -> list[str]:
    """What to ask of a model that draws only this region: a close-up of the same person."""
    if region == "hand":
        return ["Close-up of a hand"] * len(records)
    people = [(record.metadata.get("attributes") or {}).get("gender", "person") for record in records]
    return [f"Close-up of a {person}" for person in people]


def redraw_close_ups(
    pipeline: StableDiffusionXLPipeline,
    images: Sequence[Image.Image],
    squares: Sequence[Square],
    prompts: Sequence[str],
    *,
    strength: float = 0.4,
    steps: int = 30,
    guidance: float = 4.0,
    seed: int = 0,
    batch: int = 8,
) -> list[Image.Image]:
    """Each image with one square enlarged, noised in part, denoised by the same base, and put back.

    ADetailer's way of repair, with its default strength. The square is blended in over a soft border.

    Args:
        pipeline: The base, with or without an adapter.
        images: To repair.
        squares: Where, one per image.
        prompts: Of the enlarged squares.
        strength: Share of the noise schedule that is repeated, in (0, 1].
        steps: Of the whole schedule; ``strength`` of them are made.
        guidance: Scale of classifier-free guidance.
        seed: Of the noise, which is a function of seed and place in the list.
        batch: Squares at a time.

    Raises:
        ValueError: Sequences of different lengths, or a strength out of range.
    """
    if not len(images) == len(squares) == len(prompts):
        raise ValueError(
            f"images, squares, prompts: must be as many, got {len(images)}, {len(squares)}, {len(prompts)}"
        )
    if not 0 < strength <= 1:
        raise ValueError(f"strength: must be in (0, 1], got {strength}")
    from diffusers import StableDiffusionXLImg2ImgPipeline, UniPCMultistepScheduler

    redraw = StableDiffusionXLImg2ImgPipeline(
        vae=pipeline.vae,
        text_encoder=pipeline.text_encoder,
        text_encoder_2=pipeline.text_encoder_2,
        tokenizer=pipeline.tokenizer,
        tokenizer_2=pipeline.tokenizer_2,
        unet=pipeline.unet,
        scheduler=UniPCMultistepScheduler.from_config(pipeline.scheduler.config),
        add_watermarker=False,
    )
    redraw.set_progress_bar_config(disable=True)
    side = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
    repaired = []
    for start in range(0, len(images), batch):
        places = range(start, min(start + batch, len(images)))
        drawn = redraw(
            prompt=[prompts[i] for i in places],
            image=[close_up(images[i], squares[i], side) for i in places],
            generator=[sample_generator(seed, i) for i in places],
            strength=strength,
            num_inference_steps=steps,
            guidance_scale=guidance,
            original_size=(side, side),
            target_size=(side, side),
        ).images
        repaired += [_put_back(images[i], squares[i], new) for i, new in zip(places, drawn, strict=True)]
    return repaired


def _put_back(image: Image.Image, square: Square, new: Image.Image) -> Image.Image:
    side = square[2] - square[0]
    border = max(1, side // 12)
    mask = Image.new("L", (side, side), 0)
    mask.paste(255, (border, border, side - border, side - border))
    mask = mask.filter(ImageFilter.GaussianBlur(border / 2))
    repaired = image.copy()
    repaired.paste(new.resize((side, side), Image.Resampling.LANCZOS), square[:2], mask)
    return repaired
