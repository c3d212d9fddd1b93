"""Caption agreement: attributes read from images against those stated in their captions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fairhuman.evaluation.reader._attributes import CAPTIONED, caption_attributes
from fairhuman.evaluation.reader._reader import AttributeReader
from fairhuman.evaluation.statistics import estimate_proportion

_PERMUTATIONS = 999


def caption_agreement(
    images: Sequence[np.ndarray],
    captions: Sequence[str],
    *,
    reader: AttributeReader | None = None,
    by_value: bool = False,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Fraction of the captions' statements confirmed by the reader, per attribute.

    An attribute is evaluated on images with a caption that states a known value. Chance is the agreement with
    other images' captions: the mean over permutations of the statements among these images.

    Args:
        images: Each (height, width, 3), uint8.
        captions: One per image, in the style of rendered people.
        reader: The reader. Default: the package's. Attributes it was not trained on are left out.
        by_value: Also add a row per requested value, such as one per pose.
        level: Confidence level of the intervals (Wilson).
        seed: Seed of the permutations.

    Returns:
        One row per attribute: ``attribute``, ``asked`` (``all``, or the value asked for), ``value``, ``low``,
        ``high``, ``n``, ``interval``, ``level``, ``chance`` (mean agreement of permuted statements),
        ``chance_p`` (share of permutations that agree at least as well, never below 1 / 1000), ``unknown``
        (statements in values the reader does not know).

    Raises:
        ValueError: Not as many captions as images, or none.
    """
    if len(images) != len(captions) or not len(images):
        raise ValueError(
            f"captions: must be one per image, at least one, got {len(captions)} for {len(images)} images"
        )
    reader = AttributeReader.load() if reader is None else reader
    read = reader.read(images)
    said = pd.DataFrame([caption_attributes(caption) for caption in captions])
    rng = np.random.default_rng(seed)
    rows = []
    for name in (name for name in CAPTIONED if name in reader.classes["whole"]):
        stated = said[name].notna().to_numpy()
        known = stated & said[name].isin(reader.classes["whole"][name]).to_numpy()
        seen, asked = (table.loc[known, name].to_numpy(dtype=str) for table in (read, said))
        right = int((seen == asked).sum())
        shuffled = [int((seen == rng.permutation(asked)).sum()) for _ in range(_PERMUTATIONS)]
        whole = estimate_proportion(right, int(known.sum()), level=level)
        row = {"attribute": name, "asked": "all", **whole.stored()}
        row["chance"] = float(np.mean(shuffled) / known.sum()) if known.any() else float("nan")
        row["chance_p"] = float((1 + np.sum(np.array(shuffled) >= right)) / (1 + _PERMUTATIONS))
        row["unknown"] = int((stated & ~known).sum())
        rows.append(row)
        for value in sorted(set(asked)) if by_value else ():
            of_value = asked == value
            share = estimate_proportion(
                int((seen[of_value] == value).sum()), int(of_value.sum()), level=level
            )
            # Permuted, it is read as often as it is read of any image.
            rows.append(
                {"attribute": name, "asked": value, **share.stored(), "chance": float((seen == value).mean())}
            )
    return pd.DataFrame(rows)
