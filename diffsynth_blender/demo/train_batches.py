"""What the diffusion stage learns from: batches of latents, captions and controls, drawn at random."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
from transformers import CLIPTokenizer

from .train_captions import caption
from .train_data import LOOKS, Scene, look_shares
from .train_decoder import to_tensor
from .train_encoder import block_latents
from .train_store import SceneStore

CONTROLS = ("depth", "normal", "tile")
"""Kinds of controls, one ControlNet each; the tile is the picture that is restyled."""
CONTROL_SHARES = (
    (("depth", "normal", "tile"), 0.6),
    (("depth", "normal"), 0.15),
    (("tile",), 0.06),
    (("depth", "tile"), 0.05),
    (("normal", "tile"), 0.05),
    (("depth",), 0.03),
    (("normal",), 0.03),
    ((), 0.03),
)
"""Controls used, share of batches: each ControlNet must also work alone."""
LOOK_WEIGHTS = {"realistic": 0.5, "oil": 0.7, "miniature": 0.7, "clay": 1.5, "gold": 2.0, "ice": 2.0}
"""How often a look is drawn, 1 for those not named: the further from the source and the less exact, the more often."""


class LatentCache:
    """Latents of every look of every scene, scaled; grows with the store."""

    def __init__(self, spread: np.ndarray) -> None:
        """Start empty; `spread` is the encoder's."""
        self._spread = spread
        self._latents: dict[int, torch.Tensor] = {}

    @torch.no_grad()
    def __call__(self, scene: Scene) -> torch.Tensor:
        """Latents (looks, C, h, w) of a scene in the order of LOOKS, half precision."""
        if scene.index not in self._latents:
            pictures = to_tensor(np.stack([scene.looks[look] for look in LOOKS]))
            self._latents[scene.index] = block_latents(pictures, self._spread).half()
        return self._latents[scene.index]


@dataclass(frozen=True)
class Batch:
    """Training samples of one thread."""

    latents: torch.Tensor
    """Of the wanted look, (B, C, h, w)."""
    sources: torch.Tensor
    """Of the realistic look of the same scenes, (B, C, h, w)."""
    tokens: torch.Tensor
    """Token ids of the captions, (B, L)."""
    controls: dict[str, torch.Tensor]
    """Pictures of the controls that are used, (B, 3, H, W), [0, 1]."""

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        controls = {kind: picture.to(device) for kind, picture in self.controls.items()}
        return Batch(self.latents.to(device), self.sources.to(device), self.tokens.to(device), controls)

    def doubled(self) -> Batch:
        """Every sample twice, (2 B, ...): all of them, then all of them again."""
        controls = {kind: torch.cat((picture, picture)) for kind, picture in self.controls.items()}
        return Batch(*(torch.cat((part, part)) for part in (self.latents, self.sources, self.tokens)), controls)


class BatchMaker:
    """Draws training batches for one thread."""

    def __init__(self, store: SceneStore, cache: LatentCache, tokenizer: CLIPTokenizer, *, seed: int) -> None:
        """Each thread has its own random numbers."""
        self._store, self._cache, self._tokenizer = store, cache, tokenizer
        self._rng = np.random.default_rng(seed)
        self._words = random.Random(seed)
        self._look_shares = look_shares(LOOK_WEIGHTS)

    def draw(self, size: int, crop: int) -> Batch:
        """Draw `size` crops of `crop` latents a side."""
        used = CONTROL_SHARES[self._rng.choice(len(CONTROL_SHARES), p=[share for _, share in CONTROL_SHARES])][0]
        latents, sources, captions = [], [], []
        controls: dict[str, list[np.ndarray]] = {kind: [] for kind in used}
        for _ in range(size):
            scene = self._store.training[self._rng.integers(len(self._store.training))]
            look = int(self._rng.choice(len(LOOKS), p=self._look_shares))
            of_looks = self._cache(scene)
            row, column = self._rng.integers(0, np.array(of_looks.shape[-2:]) - crop + 1)
            window = (..., slice(row, row + crop), slice(column, column + crop))
            latents.append(of_looks[look][window].float())
            sources.append(of_looks[LOOKS.index("realistic")][window].float())
            captions.append(caption(LOOKS[look], scene.words, scene.light, self._words))
            for kind in used:
                controls[kind].append(self._control(kind, scene, 8 * row, 8 * column, 8 * crop))
        tokens = self._tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
        pictures = {kind: torch.from_numpy(np.stack(some)) for kind, some in controls.items()}
        return Batch(torch.stack(latents), torch.stack(sources), tokens, pictures)

    def _control(self, kind: str, scene: Scene, row: int, column: int, size: int) -> np.ndarray:
        """A control of a crop, float32 in [0, 1], shape (3, size, size).

        The range of the depth varies at random: at run time it is that of a whole clip, not of the one frame.
        """
        crop = slice(row, row + size), slice(column, column + size)
        if kind != "depth":
            picture = scene.normal if kind == "normal" else scene.looks["realistic"]
            return picture[crop].transpose(2, 0, 1).astype(np.float32) / 255.0
        depth = scene.depth[crop].astype(np.float32)
        low, high = self._rng.uniform(-0.15, 0.1), self._rng.uniform(0.85, 1.3)
        depth = np.where(depth > 0.0, np.clip((depth - low) / (high - low), 0.0, 1.0), 0.0)
        return np.repeat(depth[None], 3, axis=0).astype(np.float32)
