"""Photographs to a training set: faces, hands and poses found, captions gathered, everything checked."""

from fairhuman.data.annotation._job import Shard
from fairhuman.data.annotation._models import DepthModel, check_model
from fairhuman.data.annotation._run import Annotation, annotate, merge
from fairhuman.data.annotation._settings import AnnotateSettings

__all__ = ["AnnotateSettings", "Annotation", "DepthModel", "Shard", "annotate", "check_model", "merge"]
