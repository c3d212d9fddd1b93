"""Text is read in the encoding that it is in, or refused; a guess is said."""

import pytest

from fairhuman.text import decode_text, read_text

TEXT = "A woman — “smiling” — à la fenêtre\nUne femme\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_the_same_text_in_every_encoding(encoding):
    text, note = decode_text(TEXT.encode(encoding))
    assert text == TEXT
    assert bool(note) == (encoding == "cp1252")


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "cp932", "euc_jp", "gb18030", "utf-16-le"])
def test_what_could_only_be_misread_is_refused(tmp_path, encoding):
    words = {"cp1251": "Женщина машет", "koi8-r": "Женщина машет", "utf-16-le": "a woman"}
    (tmp_path / "prompts.txt").write_bytes(words.get(encoding, "手女中").encode(encoding))
    with pytest.raises(ValueError, match="prompts.txt is not UTF-8 text: .*; save it as UTF-8"):
        read_text(tmp_path / "prompts.txt")
