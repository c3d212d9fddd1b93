"""Manual review of a data set: a page for rejecting annotations, and the application of its decisions."""

from fairhuman.data.review._apply import Reviewed, apply_review
from fairhuman.data.review._decisions import read_decisions
from fairhuman.data.review._page import write_page

__all__ = ["Reviewed", "apply_review", "read_decisions", "write_page"]
