"""A small annotated data set, drawn from a seed; and the same as a sample in memory."""

import json

import numpy as np
from PIL import Image

from fairhuman.data import HumanSample


def make_sample(height: int, width: int, seed: int) -> HumanSample:
    """A random image with a disc in each mask and keypoints inside it."""
    random = np.random.default_rng(seed)
    masks, boxes, keypoints = {}, {}, {}
    rows, columns = np.mgrid[:height, :width] + 0.5
    radius = max(4.0, 0.2 * min(height, width))
    for name, boxed in (("face", "face"), ("hand", "left_hand")):
        x, y = random.uniform(radius, width - radius), random.uniform(radius, height - radius)
        inside = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
        masks[name] = (255 * inside).astype(np.uint8)
        across, down = np.flatnonzero(inside.any(0)), np.flatnonzero(inside.any(1))
        boxes[boxed] = (across[0], down[0], across[-1] + 1, down[-1] + 1)
        angle, length = random.uniform(0, 2 * np.pi, 21), radius * random.uniform(0, 0.4, 21)
        keypoints[name] = np.stack(
            [x + length * np.cos(angle), y + length * np.sin(angle), np.full(21, 2)], 1
        )
    boxes["right_hand"] = None
    return HumanSample(
        image=random.integers(0, 256, (height, width, 3), dtype=np.uint8),
        text="a person",
        masks=masks,
        boxes=boxes,
        keypoints={"body": keypoints["face"][:17], "left_hand": keypoints["hand"]},
        pose=random.integers(0, 256, (height, width, 3), dtype=np.uint8),
        depth=random.integers(0, 5000, (height, width), dtype=np.uint16),
        face_yaw=float(random.uniform(-90, 90)),
    )


def write_folder(root, count=3, size=(48, 48), seed=0):
    """Write ``count`` samples in the form on disk; return the metadata as a list."""
    entries = []
    for index in range(count):
        sample = make_sample(*size, seed + index)
        name = f"{index:06d}.png"
        grids = {"images": sample.image, "poses": sample.pose, "depths": sample.depth,
                 "face_masks": sample.masks["face"], "hand_masks": sample.masks["hand"]}  # fmt: skip
        for folder, grid in grids.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(grid).save(root / folder / name)
        entries.append({
            "file_name": f"images/{name}", "text": f"person {index}",
            "face_mask_file_name": f"face_masks/{name}", "hand_mask_file_name": f"hand_masks/{name}",
            "pose_file_name": f"poses/{name}", "depth_file_name": f"depths/{name}",
            "face_box": [int(v) for v in sample.boxes["face"]], "right_hand_box": None,
            "keypoints": sample.keypoints["body"].tolist(),
            "left_hand_keypoints": sample.keypoints["left_hand"].tolist(),
            "width": size[1], "height": size[0], "face_yaw": sample.face_yaw,
        })  # fmt: skip
    write_metadata(root, entries)
    return entries


def write_mixed(root, sizes, seed=0):
    """As :func:`write_folder`, with an image of each size (height, width); return the metadata."""
    entries = []
    for index, size in enumerate(sizes):
        (entry,) = write_folder(root / str(index), 1, size, seed + index)
        names = {key: f"{index}/{name}" for key, name in entry.items() if key.endswith("file_name")}
        entries.append(entry | names | {"text": f"person {index}"})
    write_metadata(root, entries)
    return entries


def write_metadata(root, entries):
    (root / "metadata.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
