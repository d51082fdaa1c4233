"""Train the demo model: `python -m diffsynth_blender.demo.train --data build/dataset --output FOLDER --minutes 150`.

Stages, each resumable on its own: the autoencoder, the diffusion model, the decoder alone, and the export of what is
there. `python -m diffsynth_blender.demo.dataset` renders the data first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from transformers import CLIPTokenizer

from .train_captions import make_tokenizer
from .train_checkpoint import load_checkpoint
from .train_data import SceneStore
from .train_diffusion import DemoModel, train_diffusion
from .train_export import export
from .train_model import make_vae
from .train_vae import measure_scaling, train_vae

STAGES = {"vae": 0.25, "diffusion": 0.65, "decoder": 0.1}
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
    if stage == "vae":
        train_vae(make_vae(), store, training, minutes=minutes)
    elif stage == "decoder":
        train_vae(trained_vae(store, training), store, training, minutes=minutes, decoder_only=True, peak_rate=7e-4)
    elif stage == "diffusion":
        tokenizer = trained_tokenizer(store, training)
        train_diffusion(DemoModel(tokenizer), trained_vae(store, training), tokenizer, store, training, minutes=minutes)


def trained_vae(store: SceneStore, training: Path) -> torch.nn.Module:
    """The autoencoder of the first stage, its decoder from the third where there is one, with its scaling measured."""
    vae = make_vae()
    state = load_checkpoint(training / "vae.pt")
    if state is None:
        raise FileNotFoundError(f"{training / 'vae.pt'}: no such file; run --stage vae first")
    vae.load_state_dict(state["vae"])
    vae.eval()
    scaling = training / "scaling.txt"
    if not scaling.is_file():
        # Measured once: the diffusion model is trained on latents of exactly this scale.
        scaling.write_text(repr(measure_scaling(vae, store)))
    vae.register_to_config(scaling_factor=float(scaling.read_text()))
    decoder = load_checkpoint(training / "decoder.pt")
    if decoder is not None:
        vae.load_state_dict(decoder["vae"])
    return vae


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
