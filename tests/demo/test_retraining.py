"""From scenes to a model folder and a contact sheet by the commands of the model card, seconds instead of hours."""

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from PIL import Image
from transformers import CLIPTokenizer

from diffsynth_blender.demo.evaluate import main as evaluate
from diffsynth_blender.demo.train import main
from diffsynth_blender.demo.train_ahead import Ahead
from diffsynth_blender.demo.train_batches import CONTROLS
from diffsynth_blender.demo.train_begin import SPREAD, TOKENIZER
from diffsynth_blender.demo.train_data import LOOKS, load_scene
from diffsynth_blender.demo.train_decoder import BLOCK, LINES, draw_batch
from diffsynth_blender.demo.train_pack import write_packs
from diffsynth_blender.demo.train_preview import main as preview
from diffsynth_blender.demo.train_procedural import draw_picture
from diffsynth_blender.demo.train_store import SceneStore
from tests.e2e.job_folder import write_job_folder

SIZE = 256


def draw_scenes(folder: Path, numbers: Iterable[int], *, size: int = SIZE) -> list[Path]:
    """Scene files as demo.dataset writes them, of drawn shapes."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = [folder / f"{number:05d}.npz" for number in numbers]
    for path in paths:
        looks = {look: draw_picture(rng, size=size) for look in LOOKS}
        depth = rng.random((size, size)).astype(np.float16)
        np.savez(
            path, **looks, depth=depth, normal=draw_picture(rng, size=size), caption_words="cubes, sand", light="day"
        )
    return paths


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The commands use one thread of torch; other tests get theirs back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with packed scenes in `packs`, checkpoints in `training` and the model made of them in `model`."""
    folder = tmp_path_factory.mktemp("retraining")
    write_packs(draw_scenes(folder / "scenes", (0, 10, 11, 12)), folder / "packs")
    train(folder)
    return folder


def train(folder: Path, *arguments: str) -> None:
    """The one command, with six seconds of training in all where the model card has hours."""
    paths = ("--data", folder / "packs", "--training", folder / "training", "--output", folder / "model")
    main([*map(str, paths), "--minutes", "0.1", "--device", "cpu", "--samples", "16", *arguments])


def test_one_command_makes_a_model_that_paints(trained: Path) -> None:
    """Scenes become a whole model folder, its tiny autoencoder included, and the folder a contact sheet."""
    parts = {path.parent.name for path in (trained / "model").rglob("*.safetensors")}
    nets = {f"controlnet_{kind}" for kind in CONTROLS}
    assert parts == {"vae", "vae_tiny", "unet", "text_encoder", *nets}
    sheet = trained / "sheet.png"
    paths = ("--data", trained / "packs", "--model", trained / "model", "--output", sheet)
    preview([*map(str, paths), "--scenes", "0", "--strengths", "0.5", "--steps", "2"])
    assert Image.open(sheet).size == ((4 + len(LOOKS)) * SIZE, SIZE)


def test_training_goes_on_where_it_stopped(trained: Path) -> None:
    """A stage that is run again goes on from its checkpoint, and the others stay as they are."""

    def steps() -> dict[str, int]:
        paths = (trained / "training").glob("*.pt")
        return {path.stem: torch.load(path)["step"] for path in paths if path.stem != "tiny_samples"}

    before = steps()
    assert set(before) == {"decoder", "diffusion", "tiny", "few"} and min(before.values()) > 0
    train(trained, "--stage", "tiny")
    assert steps() == {**before, "tiny": steps()["tiny"]} and steps()["tiny"] > before["tiny"]


def test_what_learnt_to_do_with_few_steps_is_exported(trained: Path) -> None:
    """The mean of that stage's weights and not of the one before; both autoencoders stay as they are."""

    def weights() -> dict[str, bytes]:
        return {path.parent.name: path.read_bytes() for path in (trained / "model").rglob("*.safetensors")}

    few = torch.load(trained / "training" / "few.pt")["mean"]["unet.conv_in.weight"]
    diffusion = torch.load(trained / "training" / "diffusion.pt")["mean"]["unet.conv_in.weight"]
    shipped = UNet2DConditionModel.from_pretrained(trained / "model" / "unet").conv_in.weight
    assert torch.equal(shipped, few.half().float()) and not torch.equal(few, diffusion)
    before = weights()
    train(trained, "--stage", "few")
    after = weights()
    assert before["unet"] != after["unet"]
    assert before["vae"] == after["vae"] and before["vae_tiny"] == after["vae_tiny"]


def test_few_steps_are_learnt_last(trained: Path, tmp_path: Path) -> None:
    """Without the tiny autoencoder, which paints what lines are judged by, the stage names the one to run first."""
    with pytest.raises(FileNotFoundError, match="run --stage tiny first"):
        train(trained, "--stage", "few", "--output", str(tmp_path))


def test_few_steps_learnt_before_diffusion_went_on_are_not_exported(trained: Path, tmp_path: Path) -> None:
    """Neither stage has all that was learnt then: what to do is said, and the model stays as it is."""
    shutil.copytree(trained / "training", tmp_path / "training")
    shutil.copytree(trained / "model", tmp_path / "model")
    paths = ("--training", str(tmp_path / "training"), "--output", str(tmp_path / "model"))
    unet = tmp_path / "model" / "unet" / "diffusion_pytorch_model.safetensors"
    before = unet.read_bytes()
    train(trained, "--stage", "export", *paths)
    assert unet.read_bytes() == before
    train(trained, "--stage", "diffusion", *paths, "--minutes", "0.2")
    for stage in ("export", "few"):
        with pytest.raises(ValueError, match=r"few.pt: begun at step .* delete it and run --stage few again"):
            train(trained, "--stage", stage, *paths)
    assert unet.read_bytes() == before
    (tmp_path / "training" / "few.pt").unlink()
    train(trained, "--stage", "few", *paths)
    assert unet.read_bytes() != before


def test_packs_hold_the_scenes_bit_for_bit(tmp_path: Path) -> None:
    """What is read from packs is what is in the scene files; the held-out scenes are kept apart in both."""
    paths = draw_scenes(tmp_path / "scenes", range(12), size=16)
    write_packs(paths, tmp_path / "packs")
    packed, single = SceneStore(tmp_path / "packs"), SceneStore(tmp_path / "scenes")
    assert [len(packed.held_out), len(packed.training)] == [len(single.held_out), len(single.training)] == [10, 2]
    for mapped, path in zip((*packed.held_out, *packed.training), paths, strict=True):
        scene = load_scene(path)
        assert (mapped.index, mapped.words) == (scene.index, scene.words)
        for one, other in ((mapped.depth, scene.depth), (mapped.normal, scene.normal),
                           *((mapped.looks[look], scene.looks[look]) for look in LOOKS)):  # fmt: skip
            assert one.dtype == other.dtype and np.array_equal(one, other)


def test_a_file_that_is_no_pack_is_refused(tmp_path: Path) -> None:
    """An array of another kind is named, with what to do."""
    np.save(tmp_path / "pack-000.npy", np.zeros((1, 4, 4, 3), np.uint8))
    (tmp_path / "pack-000.json").write_text('[{"index": 10, "words": ""}]')
    with pytest.raises(ValueError, match="not a pack; run demo"):
        SceneStore(tmp_path)


@pytest.mark.parametrize("depth", [0, 2])
def test_batches_drawn_ahead_come_in_order_and_fit_what_is_asked_for(depth: int) -> None:
    """Results alternate between the drawers and never belong to arguments that have changed since."""
    ahead = Ahead([lambda size: ("a", size), lambda size: ("b", size)], depth=depth)
    drawn = [ahead.next(8) for _ in range(4)] + [ahead.next(2) for _ in range(2)]
    assert [size for _, size in drawn] == [8, 8, 8, 8, 2, 2]
    if depth:
        assert [name for name, _ in drawn[:4]] == ["a", "b", "a", "b"]


def test_the_decoder_sees_hatching_at_its_place_in_the_blocks(tmp_path: Path) -> None:
    """Crops of pencil drawings begin at blocks and are not mirrored; those of other looks begin anywhere."""
    (path,) = draw_scenes(tmp_path / "scenes", (10,), size=64)
    marked = np.zeros((64, 64, 3), np.uint8)
    marked[1::BLOCK, 2::BLOCK] = 200
    for look, is_kept in (("pencil", True), ("toon", False)):
        blank = {name: np.zeros_like(marked) for name in LOOKS}
        with np.load(path) as scene:
            np.savez(path, **{**scene, **blank, look: marked})
        crops = draw_batch(
            SceneStore(path.parent), np.random.default_rng(0), batch_size=200, crop=32, procedural_share=0.0
        )
        shown = crops[crops.any((1, 2, 3))].max(-1) > 0
        assert len(shown) > 200 * 2 / (len(LOOKS) + 2 * len(LINES))  # three times as often as others, but for chance
        assert all(np.array_equal(crop, marked[:32, :32, 0] > 0) for crop in shown) is is_kept


def test_what_was_trained_is_measured_by_one_command(trained: Path) -> None:
    """Figures of every look that is asked for, of the tiny autoencoder, and of flicker on a captured shot."""
    shot, output = trained / "shot", trained / "evaluation"
    write_job_folder(shot, frames=3)
    paths = ("--data", trained / "packs", "--model", trained / "model", "--output", output, "--job", shot)
    few = ("--steps", "2", "--classifier-steps", "2", "--looks", "gold", "pencil")
    evaluate([*map(str, paths), *few])
    figures = json.loads((output / "evaluation.json").read_text())
    assert set(figures["looks"]) == {"gold", "pencil"}
    assert figures["looks"]["gold"]["psnr"] > 5 and figures["tiny_autoencoder_psnr"] > 0
    assert set(figures["flicker"]) == {"warp_error_ratio", "sharpness_ratio"}


def test_a_training_begins_with_the_weights_of_a_model(trained: Path, tmp_path: Path) -> None:
    """Before its first step the new training is the model: weights, latents and words, and the bytes of its parts."""
    arguments = ("--begin", str(trained / "model"), "--training", str(tmp_path), "--output", str(tmp_path / "model"))
    for stage in ("diffusion", "export"):
        train(trained, "--stage", stage, *arguments, "--minutes", "1e-9")
    assert torch.load(tmp_path / "diffusion.pt")["step"] == 0
    np.testing.assert_allclose(np.load(tmp_path / SPREAD), np.load(trained / "training" / SPREAD), rtol=2e-3)
    for part in ("vae", "unet", "text_encoder", *(f"controlnet_{kind}" for kind in CONTROLS)):
        one, other = (next((folder / part).glob("*.safetensors")) for folder in (tmp_path / "model", trained / "model"))
        assert one.read_bytes() == other.read_bytes(), part
        assert (one.parent / "config.json").read_text() == (other.parent / "config.json").read_text(), part
    assert read_words(tmp_path) == read_words(trained / "model")


def read_words(folder: Path) -> dict[str, int]:
    """The tokens of a training or a model."""
    return CLIPTokenizer.from_pretrained(folder / TOKENIZER).get_vocab()


def test_what_is_no_model_is_not_begun_with(trained: Path, tmp_path: Path) -> None:
    """A folder of something else is named, with what it lacks, and nothing is laid out."""
    with pytest.raises(FileNotFoundError, match="no model to begin with, it lacks tokenizer, vae"):
        train(trained, "--begin", str(trained / "packs"), "--training", str(tmp_path / "training"))
    assert not (tmp_path / "training").exists()
