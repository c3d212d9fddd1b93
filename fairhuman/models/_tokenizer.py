"""A word-level tokenizer that plain ``transformers`` loads as CLIP's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

_END_OF_WORD = "</w>"
_START, _END = "<|startoftext|>", "<|endoftext|>"


def word_tokenizer(words: Iterable[str], max_length: int = 40) -> CLIPTokenizer:
    """Build a CLIP tokenizer in which each of ``words`` is one token.

    The byte-pair merges are learned from the words alone until each of them is whole. Every byte
    keeps a separate token, inside a word and at its end, so a word never seen falls apart into
    known pieces or single bytes and nothing is ever unknown. Case is ignored, as in CLIP.

    Args:
        words: The words to keep whole, in any order. A string with spaces counts as its words.
        max_length: Longest token sequence, the start and end tokens included; at least 3.

    Returns:
        A tokenizer whose vocabulary depends on the set of words only.

    Raises:
        ValueError: If ``max_length`` is below 3.

    Example:
        >>> tokenizer = word_tokenizer(["a", "woman", "waving"])
        >>> tokenizer.tokenize("A woman waving")
        ['a</w>', 'woman</w>', 'waving</w>']
    """
    from tokenizers import pre_tokenizers
    from transformers import CLIPTokenizer

    if max_length < 3:
        raise ValueError(f"max_length must be at least 3 (start, a token, end), got {max_length}")
    vocabulary = sorted({piece for word in words for piece in word.lower().split()})
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = alphabet + [letter + _END_OF_WORD for letter in alphabet]
    merges = _learn_merges(vocabulary, alphabet)
    tokens += [left + right for left, right in merges]
    tokens = list(dict.fromkeys(tokens)) + [_START, _END]
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(tokens)},
        merges=merges,  # ty: ignore[invalid-argument-type]: takes pairs, too
        model_max_length=max_length,
    )


def _learn_merges(words: list[str], alphabet: list[str]) -> list[tuple[str, str]]:
    """Merge the most frequent pair until each word is one token; return the merges in order."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    if not words:
        return []
    learner = Tokenizer(models.BPE(end_of_word_suffix=_END_OF_WORD))
    learner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    # The split of CLIP's pre-tokenizer: letters, single digits, everything else.
    pieces = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pieces, behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=1_000_000,
        min_frequency=0,
        initial_alphabet=alphabet,
        end_of_word_suffix=_END_OF_WORD,
        show_progress=False,
    )
    learner.train_from_iterator(words, trainer)
    merges = json.loads(learner.to_str())["model"]["merges"]
    return [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in merges]
