"""Data sets of other forms, brought in and given out: the released code's, and images with boxes."""

from fairhuman.data.exchange._export import EXPORTS, export_folder
from fairhuman.data.exchange._import import LAYOUTS, import_folder

__all__ = ["EXPORTS", "LAYOUTS", "export_folder", "import_folder"]
