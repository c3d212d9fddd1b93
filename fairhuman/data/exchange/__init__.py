"""Import and export of other layouts: the released code's, images with boxes, kohya's folders."""

from fairhuman.data.exchange._export import EXPORTS, export_folder
from fairhuman.data.exchange._import import LAYOUTS, import_folder

__all__ = ["EXPORTS", "LAYOUTS", "export_folder", "import_folder"]
