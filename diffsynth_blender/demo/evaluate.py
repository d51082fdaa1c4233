"""Figures of the model card, on scenes that training never saw: `python -m diffsynth_blender.demo.evaluate`.

Every look of every held-out scene is restyled from the realistic render, as the product does, and compared with the
true render in that look. Writes `evaluation.json` and prints the tables. `--job` adds flicker: a folder with a captured
shot, which is restyled in a folder of its own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import nn

from ..diffusion.latents import Codec, LatentCodec, TinyCodec
from ..models.checkpoint import Checkpoint
from .eval_classifier import STEPS as CLASSIFIER_STEPS
from .eval_classifier import look_of, train_classifier
from .eval_flicker import measure_flicker
from .eval_measures import colour_distance, edge_agreement, edges_found, geometry_edges, psnr, ssim
from .train_data import LOOKS, Scene
from .train_preview import PROMPTS, load_model, restyle
from .train_store import SceneStore

CPU = torch.device("cpu")


@dataclass(frozen=True)
class LookFigures:
    """Means over the held-out scenes for one look."""

    psnr: float
    """Of the true render through the autoencoder [dB]."""
    ssim: float
    """The same, structural similarity."""
    colours: float
    """Distance of the restyled frame's histograms from the true render's [1/255]."""
    colours_source: float
    """The same of the frame that was restyled, for comparison."""
    edges: float
    """Correlation of the restyled frame's edges with the true render's."""
    edges_source: float
    """The same of the frame that was restyled."""
    geometry: float
    """Share of the edges of depth and normals that are edges in the restyled frame."""
    geometry_truth: float
    """The same in the true render."""
    recognised: float
    """Share of restyled frames that a classifier trained on true renders takes for this look."""
    recognised_truth: float
    """The same of the true renders."""


def evaluate_look(
    look: str, scenes: Sequence[Scene], restyled: Sequence[np.ndarray], vae: AutoencoderKL, classifier: nn.Module
) -> LookFigures:
    """Compare the restyled pictures, uint8 (H, W, 3) each, with the true renders of the scenes."""
    truths = [_as_float(scene.looks[look]) for scene in scenes]
    sources = [_as_float(scene.looks["realistic"]) for scene in scenes]
    pictures = [_as_float(picture) for picture in restyled]
    coded = [through(LatentCodec(vae, height=len(one), width=one.shape[1], device=CPU), one) for one in truths]
    geometry = [
        geometry_edges(scene.depth.astype(np.float32), scene.normal.astype(np.float32) / 255) for scene in scenes
    ]
    number = LOOKS.index(look)
    return LookFigures(
        psnr=_mean(psnr, coded, truths),
        ssim=_mean(ssim, coded, truths),
        colours=_mean(colour_distance, pictures, truths),
        colours_source=_mean(colour_distance, sources, truths),
        edges=_mean(edge_agreement, pictures, truths),
        edges_source=_mean(edge_agreement, sources, truths),
        geometry=_mean(edges_found, pictures, geometry),
        geometry_truth=_mean(edges_found, truths, geometry),
        recognised=float(np.mean([look_of(classifier, picture) == number for picture in restyled])),
        recognised_truth=float(np.mean([look_of(classifier, scene.looks[look]) == number for scene in scenes])),
    )


def _as_float(pictures: np.ndarray) -> np.ndarray:
    return pictures.astype(np.float32) / 255


def through(codec: Codec, picture: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) in [0, 1] encoded and decoded."""
    return codec.decode(codec.encode(torch.from_numpy(picture)[None])).clamp(0, 1).numpy()[0]


def _mean(measure: Callable[..., float], *series: Sequence[np.ndarray] | np.ndarray) -> float:
    return float(np.mean([measure(*values) for values in zip(*series, strict=True)]))


def decoders_agree(checkpoint: Checkpoint, scenes: Sequence[Scene]) -> float | None:
    """PSNR [dB] of the tiny autoencoder's pictures against the model's own; None where it has none."""
    if checkpoint.tiny_vae is None:
        return None
    values = []
    for scene in scenes:
        size = {"height": scene.depth.shape[0], "width": scene.depth.shape[1], "device": CPU}
        own, tiny = LatentCodec(checkpoint.vae, **size), TinyCodec(checkpoint.tiny_vae, **size)
        latents = own.encode(torch.from_numpy(_as_float(np.stack([scene.looks[look] for look in LOOKS]))))
        pairs = (codec.decode(latents).clamp(0, 1).numpy() for codec in (own, tiny))
        values.append(_mean(psnr, *pairs))
    return float(np.mean(values))


def table(rows: dict[str, LookFigures]) -> str:
    """The figures as a Markdown table, one row per look."""
    lines = [
        "| look | autoencoder PSNR [dB] | SSIM | colours off by [1/255] (source) | edges as in the true render (source)"
        " | edges of depth and normals found (true render) | taken for the look (true render) |",
        "|---|---|---|---|---|---|---|",
    ]
    for look, f in rows.items():
        lines.append(
            f"| {look} | {f.psnr:.1f} | {f.ssim:.3f} | {f.colours:.1f} ({f.colours_source:.1f})"
            f" | {f.edges:.2f} ({f.edges_source:.2f}) | {f.geometry:.2f} ({f.geometry_truth:.2f})"
            f" | {f.recognised:.0%} ({f.recognised_truth:.0%}) |"
        )
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("build/dataset"), help="scenes rendered by demo.dataset")
    parser.add_argument("--model", type=Path, default=Path(__file__).parent / "model")
    parser.add_argument("--output", type=Path, default=Path("build/evaluation"), help="folder of what is written")
    parser.add_argument("--job", type=Path, help="job folder of a captured shot to measure flicker on")
    parser.add_argument("--scenes", type=int, default=10, help="held-out scenes to use")
    parser.add_argument("--classifier-steps", type=int, default=CLASSIFIER_STEPS, help="of its training")
    parser.add_argument("--strength", type=float, default=0.6)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=1.5)
    parser.add_argument("--looks", nargs="+", default=list(LOOKS), choices=LOOKS)
    arguments = parser.parse_args(words)
    torch.set_num_threads(1)
    store = SceneStore(arguments.data)
    scenes = store.held_out[: arguments.scenes]
    checkpoint = load_model(arguments.model, tiny_vae=True)
    classifier = train_classifier(store.training, steps=arguments.classifier_steps)
    how = {"strength": arguments.strength, "steps": arguments.steps, "guidance_scale": arguments.guidance}
    rows = {}
    for look in arguments.looks:
        restyled = [restyle(checkpoint, scene, PROMPTS[look], **how) for scene in scenes]
        rows[look] = evaluate_look(look, scenes, restyled, checkpoint.vae, classifier)
        print(look, asdict(rows[look]), flush=True)
    figures: dict[str, object] = {
        "settings": how,
        "looks": {look: asdict(row) for look, row in rows.items()},
        "tiny_autoencoder_psnr": decoders_agree(checkpoint, scenes),
    }
    if arguments.job:
        figures["flicker"] = measure_flicker(arguments.job, arguments.output / "flicker", arguments.model)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "evaluation.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(table(rows))
    print({name: value for name, value in figures.items() if name not in ("looks", "settings")})


if __name__ == "__main__":
    main()
