"""An attribute reader trained on renders, and its features, which are neither Inception's nor CLIP's."""

from fairhuman.evaluation.reader._agreement import caption_agreement
from fairhuman.evaluation.reader._attributes import ATTRIBUTES, CAPTIONED, caption_attributes
from fairhuman.evaluation.reader._network import ReaderNetwork
from fairhuman.evaluation.reader._reader import AttributeReader
from fairhuman.evaluation.reader._training import ReaderSettings, stored_parameters, train_reader
from fairhuman.evaluation.reader._views import MARGINS, SIDES

__all__ = [
    "ATTRIBUTES",
    "CAPTIONED",
    "MARGINS",
    "SIDES",
    "AttributeReader",
    "ReaderNetwork",
    "ReaderSettings",
    "caption_agreement",
    "caption_attributes",
    "stored_parameters",
    "train_reader",
]
