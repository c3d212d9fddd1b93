"""Data sets of people: annotation, import, validation and joint transforms."""

from fairhuman.data._buckets import Buckets, Size, kept_share
from fairhuman.data._condition import CONDITIONS, condition_image, condition_pixels
from fairhuman.data._folder import HumanFolder
from fairhuman.data._record import HumanRecord
from fairhuman.data._sample import HumanSample, crop_sample, flip_sample, resize_sample
from fairhuman.data._transform import Draw, JointTransform, TrainingSample

__all__ = [
    "CONDITIONS",
    "Buckets",
    "Draw",
    "HumanFolder",
    "HumanRecord",
    "HumanSample",
    "JointTransform",
    "Size",
    "TrainingSample",
    "condition_image",
    "condition_pixels",
    "crop_sample",
    "flip_sample",
    "kept_share",
    "resize_sample",
]
