"""Writing of data sets by several processes, with the same files despite interruptions.

Each image's outcome is one line of a journal; complete journals become ``metadata.jsonl``, ``rejected.jsonl``
and a report. Annotation, import and review are built on this package.
"""

from fairhuman.data.store._beside import sidecar
from fairhuman.data.store._duplicates import find_duplicates, perceptual_hash
from fairhuman.data.store._journal import OWNER, Shard, check_out, do_shard, merge_shards, read_owner
from fairhuman.data.store._layout import file_names, files_of
from fairhuman.data.store._listing import METADATA, REJECTED, Annotation, annotation_of, read_lines
from fairhuman.data.store._masks import dilation_pixels, draw_boxes, draw_ellipses, draw_hulls, padded
from fairhuman.data.store._report import REGIONS, region_boxes, write_report
from fairhuman.data.store._scan import Photograph, find_photographs, repeats_and_words

__all__ = [
    "METADATA",
    "OWNER",
    "REGIONS",
    "REJECTED",
    "Annotation",
    "Photograph",
    "Shard",
    "annotation_of",
    "check_out",
    "dilation_pixels",
    "do_shard",
    "draw_boxes",
    "draw_ellipses",
    "draw_hulls",
    "file_names",
    "files_of",
    "find_duplicates",
    "find_photographs",
    "merge_shards",
    "padded",
    "perceptual_hash",
    "read_lines",
    "read_owner",
    "region_boxes",
    "repeats_and_words",
    "sidecar",
    "write_report",
]
