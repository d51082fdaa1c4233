"""CLIP's tokenizer, for models that come without one: byte pairs, merged as in the list that lies beside this file."""

import gzip
from functools import cache
from pathlib import Path

from transformers import CLIPTokenizer

_MERGES = Path(__file__).with_name("configs") / "clip_merges.txt.gz"
_LENGTH = 77


@cache
def _merges() -> tuple[tuple[str, str], ...]:
    lines = gzip.decompress(_MERGES.read_bytes()).decode("utf-8").splitlines()
    pairs = (line.split() for line in lines)
    return tuple((first, second) for first, second in pairs)


def _letters() -> list[str]:
    """A printable character for each of the 256 bytes, in the order in which CLIP numbers them.

    Bytes that are printable in Latin-1 stand for themselves; the others take characters from 256 on (GPT-2's table).
    """
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(byte) for byte in plain] + [chr(256 + i) for i in range(256 - len(plain))]


def clip_tokenizer(*, pad_with_zero: bool) -> CLIPTokenizer:
    """The tokenizer of CLIP, 49408 tokens, texts of up to 77.

    `pad_with_zero`: OpenCLIP's encoders (Stable Diffusion 2, the second of XL) fill up with token 0, which is "!";
    OpenAI's with the end-of-text token.
    """
    letters = _letters()
    words = [*letters, *(f"{letter}</w>" for letter in letters), *(a + b for a, b in _merges())]
    vocabulary = {word: i for i, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    pad = "!" if pad_with_zero else "<|endoftext|>"
    return CLIPTokenizer(vocabulary, list(_merges()), pad_token=pad, model_max_length=_LENGTH)
