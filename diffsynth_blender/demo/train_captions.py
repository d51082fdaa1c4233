"""Captions: the look in one of many wordings, then what the scene contains; and the tokenizer made from them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer

TEMPLATES: dict[str, tuple[str, ...]] = {
    "realistic": (
        "a realistic photo of {}",
        "a photograph of {}",
        "photo, realistic, {}",
        "a realistic render of {}",
        "photorealistic {}",
    ),
    "clay": (
        "a clay render of {}",
        "clay models of {}",
        "{} made of clay",
        "clay, plasticine, {}",
        "terracotta clay sculpture of {}",
    ),
    "gold": (
        "a polished gold sculpture of {}",
        "{} made of gold",
        "gold, golden metal, {}",
        "shiny golden {}",
        "a golden statue of {}",
    ),
    "toon": (
        "a toon drawing of {}",
        "cel shading, cartoon, {}",
        "toon, cel-shaded {}",
        "a cartoon of {}",
        "anime, comic drawing of {}",
    ),
    "watercolour": (
        "a watercolour painting of {}",
        "a watercolor painting of {}",
        "aquarelle of {}",
        "watercolour, {}",
        "soft watercolour sketch of {}",
    ),
}
EMPTY_SHARE = 0.12
"""Share of empty captions: what classifier-free guidance subtracts."""
WORDLESS_SHARE = 0.3
"""Share of captions that name the look alone, as people do: "a watercolour painting"."""
FILLERS = (
    "highly detailed", "cinematic lighting", "soft light", "studio lighting", "masterpiece", "best quality", "4k", "8k",
    "sharp focus", "beautiful", "vivid colours", "colorful", "trending", "intricate", "professional",
    "an animated film", "a toy world", "still life", "objects", "a scene", "3d", "high resolution", "dramatic",
    "warm", "bright",
)  # fmt: skip
"""What people add to prompts and no scene shows: seen in training, so that it does no harm."""
FILLER_SHARE = 0.25
VOCABULARY_SIZE = 2048
SPECIAL = ("<|startoftext|>", "<|endoftext|>")


def caption(look: str, words: str, rng: random.Random) -> str:
    """Draw one caption for a look of a scene that contains `words`."""
    if rng.random() < EMPTY_SHARE:
        return ""
    fillers = rng.sample(FILLERS, rng.randint(1, 3)) if rng.random() < FILLER_SHARE else []
    if rng.random() < WORDLESS_SHARE:
        wordless = rng.choice(TEMPLATES[look]).replace(" of {}", "").replace("{}", "").strip(" ,")
        return ", ".join([wordless, *fillers])
    parts = words.split(", ")
    kept = [part for part in parts if rng.random() < 0.7] or parts[:1]
    kept += fillers
    return rng.choice(TEMPLATES[look]).format(", ".join(kept))


def make_tokenizer(words: Iterable[str]) -> CLIPTokenizer:
    """Byte-level BPE of our own small vocabulary: every text can be tokenised, the words of our captions in one piece.

    The merges are learnt; the vocabulary is then laid out as CLIP's is, with every byte inside a word and at its end.
    The library's trainer keeps only the bytes it has seen, so that an "8" or a "!" would become an unknown token.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    letters = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    blank = CLIPTokenizer({token: index for index, token in enumerate([*letters, *SPECIAL])}, [])
    learnt = blank.train_new_from_iterator(list(_texts(words)), VOCABULARY_SIZE, show_progress=False)
    merges = [tuple(pair) for pair in json.loads(learnt.backend_tokenizer.to_str())["model"]["merges"]]
    tokens = dict.fromkeys([*letters, *("".join(pair) for pair in merges), *SPECIAL])
    return CLIPTokenizer({token: index for index, token in enumerate(tokens)}, merges, model_max_length=77)


def _texts(words: Iterable[str]) -> Iterator[str]:
    for scene_words in words:
        for templates in TEMPLATES.values():
            for template in templates:
                yield template.format(scene_words)
                yield template.format(", ".join(FILLERS))


def save_tokenizer(tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write the tokenizer as a part of a model folder."""
    tokenizer.save_pretrained(folder / "tokenizer")
