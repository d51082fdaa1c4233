"""Prompts of any length, with weights, as the embeddings that a model reads.

A CLIP text encoder reads 77 tokens, two of them its own. A longer prompt is cut into chunks that are encoded one by one
and put behind one another, as common since AUTOMATIC1111's web interface; T5 simply reads on. Where a weight is not 1,
an embedding is moved away from what the empty prompt has in its place, or towards it: e' = empty + w (e - empty).
A short prompt without weights gives exactly what diffusers' pipelines make of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from .prompt_weights import parse_weights

T5_TOKENS = 256
"""T5 reads in multiples of this; what diffusers' pipeline of Stable Diffusion 3 pads to."""


@dataclass(frozen=True)
class TextEmbeddings:
    """What the text encoders make of some prompts, padded to one length."""

    states: torch.Tensor
    """(prompts, tokens, channels)."""
    pooled: torch.Tensor | None = None
    """(prompts, channels) where the model also reads the whole prompt as one vector: SDXL, Stable Diffusion 3."""

    def rows(self, start: int, stop: int) -> "TextEmbeddings":
        """Those of the prompts start..stop-1."""
        return TextEmbeddings(self.states[start:stop], None if self.pooled is None else self.pooled[start:stop])


@torch.inference_mode()
def encode_prompts(
    family: Literal["sd15", "sd2", "sdxl", "sd3"],
    tokenizers: Sequence[Any],
    text_encoders: Sequence[Any],
    prompts: Sequence[str],
    *,
    clip_skip: int = 0,
) -> TextEmbeddings:
    """Encode prompts for a family of models.

    Args:
        family: decides which layers are read and how several encoders are joined.
        tokenizers: as many as text encoders, in the checkpoint's order.
        text_encoders: CLIP for sd15 and sd2; two CLIP for sdxl; two CLIP and a T5 for sd3.
        prompts: one or more, usually negative and positive; see `prompt_weights` for what they can say.
        clip_skip: last layers of the CLIP encoders that are left out, beyond those that the family never reads.

    Raises:
        ValueError: clip_skip leaves no layer.
    """
    runs = [parse_weights(prompt) for prompt in prompts]
    clips = [
        _encode_clip(tokenizer, encoder, runs, skip=clip_skip, plain=family in ("sd15", "sd2"))
        for tokenizer, encoder in zip(tokenizers[:2], text_encoders[:2], strict=True)
    ]
    states = torch.cat([states for states, _ in clips], dim=-1)
    if family in ("sd15", "sd2"):
        return TextEmbeddings(states)
    if family == "sdxl":
        return TextEmbeddings(states, clips[1][1])
    read = _encode_t5(tokenizers[2], text_encoders[2], runs)
    states = torch.nn.functional.pad(states, (0, read.shape[-1] - states.shape[-1]))
    return TextEmbeddings(torch.cat([states, read], dim=1), torch.cat([pooled for _, pooled in clips], dim=-1))


Runs = list[tuple[str, float]]


def _tokens(tokenizer: Any, runs: Runs) -> list[tuple[int, float]]:
    """Tokens of a prompt with their weights, without the tokenizer's own."""
    return [
        (token, weight)
        for text, weight in runs
        for token in tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    ]


def _encode_clip(
    tokenizer: Any, encoder: Any, prompts: Sequence[Runs], *, skip: int, plain: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """States (prompts, chunks * positions, channels) and the first chunk's pooled output (prompts, channels).

    `plain` models read the last layer behind a norm; the others the last but one as it is.
    """
    positions = min(tokenizer.model_max_length, encoder.config.max_position_embeddings)
    layer = skip + (1 if plain else 2)
    if layer > encoder.config.num_hidden_layers:
        layers = encoder.config.num_hidden_layers
        raise ValueError(f"clip_skip {skip} leaves no layer of a text encoder of {layers}; choose a smaller one")
    chunks = _chunks([_tokens(tokenizer, runs) for runs in prompts], positions - 2)
    start, end, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id

    # One row at a time: an embedding must not depend, in its last bits, on what is encoded beside it.
    def encode(row: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        ids = [[start, *row, end, *[pad] * (positions - 2 - len(row))]]
        found = encoder(torch.tensor(ids, device=encoder.device), output_hidden_states=True)
        if not plain:
            return found.hidden_states[-layer], found[0]
        if skip == 0:
            return found[0], found.pooler_output
        return getattr(encoder, "text_model", encoder).final_layer_norm(
            found.hidden_states[-layer]
        ), found.pooler_output

    count = len(chunks[0])
    found = [encode([token for token, _ in chunk]) for prompt in chunks for chunk in prompt]
    weights = [
        [1.0, *(weight for _, weight in chunk), *[1.0] * (positions - 1 - len(chunk))]
        for prompt in chunks
        for chunk in prompt
    ]
    states = torch.cat([states for states, _ in found])
    if any(weight != 1 for row in weights for weight in row):
        states = _weighted(states, encode([])[0], weights)
    return states.reshape(len(prompts), count * positions, -1), torch.cat([pooled for _, pooled in found[::count]])


def _encode_t5(tokenizer: Any, encoder: Any, prompts: Sequence[Runs]) -> torch.Tensor:
    """States (prompts, tokens, channels); tokens are a multiple of `T5_TOKENS`."""
    tokens = [_tokens(tokenizer, runs) for runs in prompts]
    length = -(-max(len(row) + 1 for row in tokens) // T5_TOKENS) * T5_TOKENS

    def encode(row: Sequence[int]) -> torch.Tensor:
        ids = [[*row, tokenizer.eos_token_id, *[tokenizer.pad_token_id] * (length - 1 - len(row))]]
        return encoder(torch.tensor(ids, device=encoder.device))[0]

    states = torch.cat([encode([token for token, _ in row]) for row in tokens])
    if any(weight != 1 for row in tokens for _, weight in row):
        weights = [[*(weight for _, weight in row), *[1.0] * (length - len(row))] for row in tokens]
        states = _weighted(states, encode([]), weights)
    return states


def _chunks(prompts: list[list[tuple[int, float]]], size: int) -> list[list[list[tuple[int, float]]]]:
    """Each prompt's tokens in chunks of at most `size`, all prompts in equally many, at least one."""
    count = max(1, *(-(-len(tokens) // size) for tokens in prompts))
    return [[tokens[i * size : (i + 1) * size] for i in range(count)] for tokens in prompts]


def _weighted(states: torch.Tensor, empty: torch.Tensor, weights: list[list[float]]) -> torch.Tensor:
    """States (B, tokens, channels) moved away from the empty prompt's (1, tokens, channels) by the tokens' weights."""
    factor = torch.tensor(weights, device=states.device, dtype=states.dtype)[..., None]
    # Where the weight is 1 the state stays as it is, to the bit.
    return torch.where(factor == 1, states, empty + factor * (states - empty))
