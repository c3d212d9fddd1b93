"""Words of captions are whole; everything else still has tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from fairhuman.models import word_tokenizer

WORDS = [
    "a",
    "woman",
    "women",
    "man",
    "waving",
    "wearing",
    "blue",
    "black",
    "shirt",
    "t",
    "shirts",
    "t-shirt",
]
TOKENIZER = word_tokenizer(WORDS)


@given(st.lists(st.text("abcdehr", min_size=1, max_size=7), min_size=1, max_size=30))
def test_every_word_is_one_token(words):
    tokenizer = word_tokenizer(words)
    for word in words:
        assert tokenizer.tokenize(word) == [word + "</w>"]


@given(st.text(max_size=40))
def test_no_text_is_unknown(text):
    # The start and end tokens written out are control tokens, as in CLIP; plain text never holds them.
    ids = TOKENIZER(text, add_special_tokens=False).input_ids
    assert TOKENIZER.unk_token_id not in ids


def test_an_unknown_word_keeps_the_known_ones_around_it():
    tokens = TOKENIZER.tokenize("A WOMAN, zeppelin; Blue shirt")
    assert tokens[:2] == ["a</w>", "woman</w>"]
    assert tokens[-2:] == ["blue</w>", "shirt</w>"]


def test_the_vocabulary_does_not_depend_on_the_order():
    assert word_tokenizer(WORDS[::-1]).get_vocab() == TOKENIZER.get_vocab()


def test_reloads_as_a_plain_clip_tokenizer(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    loaded = CLIPTokenizer.from_pretrained(tmp_path)
    text = "a woman in a blue shirt, çÉ日 42"
    assert loaded.get_vocab() == TOKENIZER.get_vocab()
    assert loaded(text).input_ids == TOKENIZER(text).input_ids
    assert loaded.model_max_length == TOKENIZER.model_max_length


def test_too_short_a_length_is_refused():
    with pytest.raises(ValueError, match="at least 3"):
        word_tokenizer(WORDS, max_length=2)
