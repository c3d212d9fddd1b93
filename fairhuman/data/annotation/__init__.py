"""From photographs to a training set: detection of faces, hands and poses, captions, and checks."""

from fairhuman.data.annotation._models import DepthModel, check_model
from fairhuman.data.annotation._run import annotate, merge
from fairhuman.data.annotation._settings import AnnotateSettings
from fairhuman.data.store import Annotation, Shard

__all__ = ["AnnotateSettings", "Annotation", "DepthModel", "Shard", "annotate", "check_model", "merge"]
