"""Train the demo model: `python -m diffsynth_blender.demo.train --data build/dataset --output FOLDER --minutes 150`.

Stages, each resumable on its own, in any order or side by side: the decoder, the diffusion model; then the export of
what is there. `python -m diffsynth_blender.demo.dataset` renders the data first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from transformers import CLIPTokenizer

from .train_captions import make_tokenizer
from .train_checkpoint import load_checkpoint
from .train_data import SceneStore
from .train_decoder import to_tensor, train_decoder
from .train_diffusion import DemoModel, train_diffusion
from .train_encoder import measure_spread, set_decoder, set_encoder
from .train_export import export
from .train_model import make_vae

STAGES = {"decoder": 0.3, "diffusion": 0.7}
"""Share of the time each stage gets when all are run."""
TOKENIZER = "tokenizer"


def main() -> None:
    """Parse the command line and run the stages asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("build/dataset"), help="scenes rendered by demo.dataset")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "model", help="model folder")
    parser.add_argument("--training", type=Path, default=Path("build/training"), help="checkpoints and logs")
    parser.add_argument("--minutes", type=float, default=150.0, help="wall clock of the stages that are run")
    parser.add_argument("--stage", default="all", choices=["all", *STAGES, "export"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    store = SceneStore(arguments.data)
    for stage in STAGES if arguments.stage == "all" else [arguments.stage]:
        minutes = arguments.minutes * (STAGES[stage] if arguments.stage == "all" else 1.0)
        run_stage(stage, store, arguments.training, minutes=minutes)
    if arguments.stage in ("all", "export"):
        export_trained(store, arguments.training, arguments.output)


def run_stage(stage: str, store: SceneStore, training: Path, *, minutes: float) -> None:
    """Run one stage for `minutes`, or go on with it."""
    spread = latent_spread(store, training)
    if stage == "decoder":
        train_decoder(trained_vae(store, training), spread, store, training, minutes=minutes)
    elif stage == "diffusion":
        tokenizer = trained_tokenizer(store, training)
        train_diffusion(DemoModel(tokenizer), spread, tokenizer, store, training, minutes=minutes)


def latent_spread(store: SceneStore, training: Path) -> np.ndarray:
    """Standard deviation of the encoder's coefficients, measured once: both stages rely on exactly these latents."""
    path = training / "spread.npy"
    if not path.is_file():
        chosen = store.training[:: max(len(store.training) // 64, 1)]
        pictures = np.concatenate([np.stack(list(scene.looks.values())) for scene in chosen])
        training.mkdir(parents=True, exist_ok=True)
        np.save(path, measure_spread(to_tensor(pictures)))
    return np.load(path)


def trained_vae(store: SceneStore, training: Path) -> AutoencoderKL:
    """The autoencoder with its encoder set and its decoder as far as it is trained."""
    vae = make_vae()
    spread = latent_spread(store, training)
    set_encoder(vae, spread)
    set_decoder(vae, spread)
    state = load_checkpoint(training / "decoder.pt")
    if state is not None:
        vae.decoder.load_state_dict(state["decoder"])
    return vae.eval()


def trained_tokenizer(store: SceneStore, training: Path) -> CLIPTokenizer:
    """The tokenizer of this training: made once from the captions, then kept, since the text encoder learns its ids."""
    folder = training / TOKENIZER
    if not folder.is_dir():
        make_tokenizer(scene.words for scene in store.training).save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def export_trained(store: SceneStore, training: Path, output: Path) -> None:
    """Write what has been trained so far as a model folder."""
    tokenizer = trained_tokenizer(store, training)
    model = DemoModel(tokenizer)
    state = load_checkpoint(training / "diffusion.pt")
    if state is None:
        raise FileNotFoundError(f"{training / 'diffusion.pt'}: no such file; run --stage diffusion first")
    model.load_state_dict(state["mean"])
    export(model, trained_vae(store, training), tokenizer, output)


if __name__ == "__main__":
    main()
