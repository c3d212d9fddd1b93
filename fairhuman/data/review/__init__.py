"""A data set looked through by a person: a page to strike out what is wrong and accept what is right, and its
decisions applied."""

from fairhuman.data.review._apply import Reviewed, apply_review
from fairhuman.data.review._decisions import read_decisions
from fairhuman.data.review._page import write_page

__all__ = ["Reviewed", "apply_review", "read_decisions", "write_page"]
