"""Train the demo model: `python -m diffsynth_blender.demo.train --data build/dataset --output FOLDER --minutes 150`.

Stages, each resumable on its own: the decoder, the diffusion model, the export of what is there, the tiny autoencoder
of the exported model; and `few`, in which the diffusion model learns to do with few steps and is exported again.
On whatever there is, a graphics card or processor cores. With `--blender` the scenes that are missing are rendered
first, in that Python; without it they must be there, as scene files or as packs (train_pack.py).
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from transformers import CLIPTokenizer

from .train_begin import SPREAD, TOKENIZER, VAE, begin_with
from .train_captions import make_tokenizer
from .train_checkpoint import load_checkpoint
from .train_decoder import PEAK_RATE, PEAK_RATE_ON, to_tensor, train_decoder
from .train_diffusion import DemoModel, train_diffusion
from .train_encoder import measure_spread, set_decoder, set_encoder
from .train_export import export
from .train_few_steps import train_few_steps
from .train_model import make_vae
from .train_store import SceneStore
from .train_tile import set_tile_embedding
from .train_tiny import SAMPLES, agreement, export_tiny, train_tiny

STAGES = {"decoder": 0.2, "diffusion": 0.5, "export": 0.0, "tiny": 0.1, "few": 0.2}
"""Share of the time each stage gets when all are run."""


def main(words: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stages asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("build/dataset"), help="scenes rendered by demo.dataset")
    parser.add_argument("--blender", default="", help="a Python with bpy, to render the scenes that are missing")
    parser.add_argument("--scenes", type=int, default=600, help="how many scenes to render")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "model", help="model folder")
    parser.add_argument("--training", type=Path, default=Path("build/training"), help="checkpoints and logs")
    parser.add_argument("--minutes", type=float, default=150.0, help="wall clock of the stages that are run")
    parser.add_argument("--stage", default="all", choices=["all", *STAGES])
    parser.add_argument("--samples", type=int, default=SAMPLES, help="crops that the tiny autoencoder learns from")
    parser.add_argument("--threads", type=int, default=0, help="replicas side by side on a processor; 0: two")
    parser.add_argument("--begin", type=Path, help="model folder whose weights a new training begins with")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    arguments = parser.parse_args(words)
    if arguments.blender:
        render_scenes(arguments.blender, arguments.data, arguments.scenes)
    store = SceneStore(arguments.data)
    if not store.training:
        raise FileNotFoundError(f"{arguments.data}: no scenes to train on; render them with demo.dataset")
    name = ("cuda" if torch.cuda.is_available() else "cpu") if arguments.device == "auto" else arguments.device
    device = torch.device(name)
    if name == "cpu":
        torch.set_num_threads(1)
    torch.manual_seed(0)
    if arguments.begin:
        begin_with(arguments.begin, arguments.training)
    for stage in STAGES if arguments.stage == "all" else (arguments.stage,):
        minutes = arguments.minutes * (STAGES[stage] if arguments.stage == "all" else 1.0)
        if stage == "tiny":
            add_tiny(store, arguments.training, arguments.output, minutes, device, arguments.samples)
        elif stage == "export":
            export_trained(store, arguments.training, arguments.output)
        elif stage == "few":
            how = {"minutes": minutes, "device": device, "threads": arguments.threads}
            add_few_steps(store, arguments.training, arguments.output, **how)
        else:
            run_stage(stage, store, arguments.training, minutes=minutes, device=device, threads=arguments.threads)


def render_scenes(python: str, data: Path, count: int) -> None:
    """Render the scenes that are missing in a Python that has Blender."""
    module = "diffsynth_blender.demo.dataset"
    subprocess.run([python, "-m", module, "--output", str(data), "--scenes", str(count)], check=True)


def run_stage(
    stage: str, store: SceneStore, training: Path, *, minutes: float, device: torch.device, threads: int
) -> None:
    """Train the decoder or the diffusion model for `minutes`, or go on with it."""
    spread = latent_spread(store, training)
    if stage == "decoder":
        rate = PEAK_RATE_ON if (training / VAE).is_dir() else PEAK_RATE
        vae = trained_vae(store, training)
        train_decoder(vae, spread, store, training, minutes=minutes, device=device, peak_rate=rate)
        return
    tokenizer = trained_tokenizer(store, training)
    model = DemoModel(tokenizer)
    set_tile_embedding(model.controlnets["tile"], spread)
    train_diffusion(model, spread, tokenizer, store, training, minutes=minutes, device=device, threads=threads)


def add_tiny(
    store: SceneStore, training: Path, output: Path, minutes: float, device: torch.device, samples: int
) -> None:
    """Give the exported model its tiny autoencoder, or go on training it."""
    teacher = AutoencoderKL.from_pretrained(output / "vae", torch_dtype=torch.float32).eval()
    tiny = train_tiny(teacher, store, training, minutes=minutes, device=device, sample_count=samples)
    print(f"the tiny autoencoder agrees with the other to {agreement(tiny, teacher, store):.1f} dB", flush=True)
    export_tiny(tiny, output)


def add_few_steps(
    store: SceneStore, training: Path, output: Path, *, minutes: float, device: torch.device, threads: int
) -> None:
    """Let the trained diffusion model learn to do with few steps, or go on with it, and export it.

    Raises FileNotFoundError where the model has no tiny autoencoder yet, which paints what the lines are judged by; for
    other errors see `last_trained`.
    """
    folder = output / "vae_tiny"
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; run --stage tiny first")
    tokenizer = trained_tokenizer(store, training)
    last_trained(training)
    model = trained_model(tokenizer, training, "diffusion")
    tiny = AutoencoderTiny.from_pretrained(folder, torch_dtype=torch.float32)
    spread = latent_spread(store, training)
    origin = trained_state(training, "diffusion")["step"]
    how = {"minutes": minutes, "device": device, "threads": threads, "origin": origin}
    train_few_steps(model, tiny, spread, tokenizer, store, training, **how)
    export_trained(store, training, output)


def latent_spread(store: SceneStore, training: Path) -> np.ndarray:
    """Standard deviation of the encoder's coefficients, measured once: all stages rely on exactly these latents."""
    path = training / SPREAD
    if not path.is_file():
        chosen = store.training[:: max(len(store.training) // 64, 1)]
        side = min(scene.depth.shape[0] for scene in chosen)
        pictures = np.stack([look[:side, :side] for scene in chosen for look in scene.looks.values()])
        training.mkdir(parents=True, exist_ok=True)
        np.save(path, measure_spread(to_tensor(pictures)))
    return np.load(path)


def trained_vae(store: SceneStore, training: Path) -> AutoencoderKL:
    """The autoencoder with its encoder set and its decoder as far as it is trained; or that of the model begun with."""
    # The encoder's branches are switched off, not set: their random weights should be the same every time.
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vae = make_vae()
    if (training / VAE).is_dir():
        # Its weights and not itself, which would write the folder it came from into the model.
        vae.load_state_dict(AutoencoderKL.from_pretrained(training / VAE, torch_dtype=torch.float32).state_dict())
    else:
        spread = latent_spread(store, training)
        set_encoder(vae, spread)
        set_decoder(vae, spread)
    state = load_checkpoint(training / "decoder.pt")
    if state is not None:
        vae.decoder.load_state_dict(state["model"])
    return vae.eval()


def trained_tokenizer(store: SceneStore, training: Path) -> CLIPTokenizer:
    """The tokenizer of this training: made once from the captions, then kept, since the text encoder learns its ids."""
    folder = training / TOKENIZER
    if not folder.is_dir():
        make_tokenizer(scene.words for scene in store.training).save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def trained_model(tokenizer: CLIPTokenizer, training: Path, stage: str) -> DemoModel:
    """The diffusion model as far as a stage has trained it: the running mean of its weights.

    Raises FileNotFoundError where the stage has not been run.
    """
    model = DemoModel(tokenizer)
    model.load_state_dict(trained_state(training, stage)["mean"])
    return model


def trained_state(training: Path, stage: str) -> dict[str, Any]:
    """The checkpoint of a stage; raises FileNotFoundError where the stage has not been run."""
    path = training / f"{stage}.pt"
    state = load_checkpoint(path)
    if state is None:
        raise FileNotFoundError(f"{path}: no such file; run --stage {stage} first")
    return state


def last_trained(training: Path) -> str:
    """The stage that trained the diffusion model last: `few`, or `diffusion` where that has not been run.

    Raises ValueError where the diffusion stage went on after the few steps were learnt: neither then has all of it.
    """
    path = training / "few.pt"
    if not path.is_file():
        return "diffusion"
    began, trained = trained_state(training, "few").get("origin"), trained_state(training, "diffusion")["step"]
    if began != trained:
        raise ValueError(
            f"{path}: begun at step {began} of the diffusion stage, which is at step {trained} now; "
            "delete it and run --stage few again"
        )
    return "few"


def export_trained(store: SceneStore, training: Path, output: Path) -> None:
    """Write what has been trained so far as a model folder; for errors see `last_trained`."""
    tokenizer = trained_tokenizer(store, training)
    export(trained_model(tokenizer, training, last_trained(training)), trained_vae(store, training), tokenizer, output)


if __name__ == "__main__":
    main()
