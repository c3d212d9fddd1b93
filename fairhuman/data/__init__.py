"""Data sets of people on disk: read strictly, transformed jointly."""

from fairhuman.data._folder import CONDITIONS, HumanFolder
from fairhuman.data._record import HumanRecord
from fairhuman.data._sample import HumanSample, crop_sample, flip_sample, resize_sample
from fairhuman.data._transform import Draw, JointTransform, TrainingSample

__all__ = [
    "CONDITIONS",
    "Draw",
    "HumanFolder",
    "HumanRecord",
    "HumanSample",
    "JointTransform",
    "TrainingSample",
    "crop_sample",
    "flip_sample",
    "resize_sample",
]
