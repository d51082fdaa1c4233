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
        "a realistic photo of {}", "a photograph of {}", "photo, realistic, {}", "a realistic render of {}",
        "photorealistic {}", "path traced render of {}",
    ),
    "clay": (
        "a clay render of {}", "clay models of {}", "{} made of clay", "clay, plasticine, {}",
        "terracotta clay sculpture of {}", "claymation of {}",
    ),
    "gold": (
        "a polished gold sculpture of {}", "{} made of gold", "gold, golden metal, {}", "shiny golden {}",
        "a golden statue of {}", "{} cast in gold",
    ),
    "ice": (
        "an ice sculpture of {}", "{} made of ice", "frozen {}", "ice, frost, snow, {}", "{} carved out of blue ice",
        "crystal ice, winter, {}",
    ),
    "toon": (
        "a toon drawing of {}", "cel shading, cartoon, {}", "toon, cel-shaded {}", "a cartoon of {}",
        "anime, comic drawing of {}", "comic book ink lines, {}",
    ),
    "watercolour": (
        "a watercolour painting of {}", "a watercolor painting of {}", "aquarelle of {}", "watercolour, {}",
        "soft watercolour sketch of {}", "{} painted in watercolours on paper",
    ),
    "oil": (
        "an oil painting of {}", "oil on canvas, {}", "{} painted in oil", "impasto, thick brush strokes, {}",
        "a classical oil painting of {}", "impressionist oil painting of {}",
    ),
    "pencil": (
        "a pencil drawing of {}", "pencil sketch of {}", "graphite, hatching, {}", "{} drawn in pencil",
        "black and white pencil drawing, cross-hatching, {}", "a sketch of {} on paper",
    ),
    "neon": (
        "{} in neon lights", "neon night, {}", "cyberpunk neon, {}", "glowing neon outlines of {}",
        "{} as neon signs in a dark wet street", "synthwave, neon glow, {}",
    ),
    "miniature": (
        "a miniature of {}", "tilt-shift photo of {}", "miniature toy model of {}", "tilt-shift miniature, {}",
        "a tiny diorama of {}", "macro photo, shallow depth of field, {}",
    ),
}  # fmt: skip
LIGHTS: dict[str, tuple[str, ...]] = {
    "day": ("by day", "in daylight", "on a sunny day", "at noon", "in the sun", "bright daylight"),
    "dusk": ("at dusk", "at sunset", "in the evening", "golden hour", "in low warm light", "at dawn"),
    "studio": ("in a studio", "studio lighting", "softbox light", "soft studio light", "product shot"),
    "night": ("at night", "by night", "in the dark", "by lamp light", "in moonlight", "night scene"),
}
LIGHT_SHARE = 0.5
"""Share of captions that say what the light is."""
EMPTY_SHARE = 0.12
"""Share of empty captions: what classifier-free guidance subtracts."""
WORDLESS_SHARE = 0.3
"""Share of captions that name the look alone, as people do: "a watercolour painting"."""
FILLERS = (
    "highly detailed", "cinematic lighting", "soft light", "studio lighting", "masterpiece", "best quality", "4k", "8k",
    "sharp focus", "beautiful", "vivid colours", "colorful", "trending", "intricate", "professional",
    "an animated film", "a toy world", "still life", "objects", "a scene", "3d", "high resolution", "dramatic",
    "warm", "bright", "toys", "on grass", "hills", "blue sky",
)  # fmt: skip
"""What people add to prompts and no scene shows: seen in training, so that it does no harm."""
FILLER_SHARE = 0.25
VOCABULARY_SIZE = 2048
SPECIAL = ("<|startoftext|>", "<|endoftext|>")


def caption(look: str, words: str, light: str, rng: random.Random) -> str:
    """Draw one caption for a look of a scene that contains `words`, under one of LIGHTS."""
    if rng.random() < EMPTY_SHARE:
        return ""
    fillers = rng.sample(FILLERS, rng.randint(1, 3)) if rng.random() < FILLER_SHARE else []
    if rng.random() < LIGHT_SHARE:
        fillers.insert(0, rng.choice(LIGHTS[light]))
    if rng.random() < WORDLESS_SHARE:
        wordless = wordless_of(rng.choice(TEMPLATES[look]))
        return ", ".join([wordless, *fillers])
    parts = words.split(", ")
    kept = [part for part in parts if rng.random() < 0.7] or parts[:1]
    kept += fillers
    return rng.choice(TEMPLATES[look]).format(", ".join(kept))


def wordless_of(template: str) -> str:
    """A template without what it is about: "a pencil drawing", "made of gold", "neon night"."""
    return template.replace(" of {}", "").replace("{}", "").strip(" ,")


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
    for phrases in LIGHTS.values():
        yield ", ".join(phrases)


def save_tokenizer(tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write the tokenizer as a part of a model folder."""
    tokenizer.save_pretrained(folder / "tokenizer")
