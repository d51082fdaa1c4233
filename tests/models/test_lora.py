"""LoRA: the weights of a model change by weight · alpha / rank · B A, and by nothing else."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from diffsynth_blender.models.checkpoint import CheckpointError, CheckpointRequest, load_checkpoint
from tests.models import original_layout as original
from tests.models.tiny_files import save_tiny_file
from tests.tiny_model import save_tiny_model

CPU = torch.device("cpu")
RANK = 3
ALPHA = 1.5


@dataclass(frozen=True)
class Change:
    """What a LoRA does to one layer."""

    part: str
    """unet, transformer, text_encoder or text_encoder_2."""
    layer: str
    down: torch.Tensor
    up: torch.Tensor

    def delta(self, weight: float, alpha: float) -> torch.Tensor:
        """What is added to the layer's weights."""
        change = self.up.flatten(1) @ self.down.flatten(1)
        shape = (self.up.shape[0], *self.down.shape[1:])
        return weight * alpha / len(self.down) * change.reshape(shape)


LAYERS = {
    "sd15": {
        "unet": (
            "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
            "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0",
            "up_blocks.1.attentions.0.proj_in",
            "mid_block.resnets.0.conv1",
        ),
        "text_encoder": ("encoder.layers.0.self_attn.q_proj", "encoder.layers.1.mlp.fc1"),
    },
    "sdxl": {
        "unet": (
            "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k",
            "up_blocks.0.attentions.1.transformer_blocks.0.ff.net.2",
        ),
        "text_encoder": ("encoder.layers.0.self_attn.v_proj",),
        "text_encoder_2": ("text_model.encoder.layers.2.self_attn.out_proj",),
    },
    "sd3": {
        "transformer": ("transformer_blocks.0.attn.to_q", "transformer_blocks.1.ff.net.2"),
        "text_encoder": ("text_model.encoder.layers.0.self_attn.v_proj",),
    },
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Model folders of three families."""
    return {family: save_tiny_model(tmp_path_factory.mktemp(family), family) for family in LAYERS}


def load(folder, *loras, dtype=torch.float32):
    request = CheckpointRequest(str(folder), loras=tuple((str(path), weight) for path, weight in loras))
    return load_checkpoint(request, device=CPU, dtype=dtype)


def parts_of(model) -> dict:
    network = "transformer" if model.family == "sd3" else "unet"
    return {network: model.network} | {
        f"text_encoder{'' if i == 0 else f'_{i + 1}'}": part for i, part in enumerate(model.text_encoders)
    }


def changes_for(model, seed: int = 0, rank: int = RANK) -> list[Change]:
    generator = torch.Generator().manual_seed(seed)
    changes = []
    for part, layers in LAYERS[model.family].items():
        for i, layer in enumerate(layers):
            out, inside, *kernel = parts_of(model)[part].get_submodule(layer).weight.shape
            r = rank + i % 2
            down = torch.randn(r, inside, *kernel, generator=generator) / 10
            up = torch.randn(out, r, *[1] * len(kernel), generator=generator) / 10
            changes.append(Change(part, layer, down, up))
    return changes


def save_kohya(path: Path, changes: list[Change], family: str, alpha: float | None = ALPHA) -> Path:
    """The layout of kohya's scripts: one level of names, the part as a prefix, alphas as tensors."""
    prefixes = {"unet": "lora_unet", "text_encoder": "lora_te", "text_encoder_2": "lora_te2"}
    if family == "sdxl":
        prefixes["text_encoder"] = "lora_te1"
    weights = {}
    for change in changes:
        layer = change.layer
        if change.part.startswith("text"):
            layer = f"text_model.{layer.removeprefix('text_model.')}"
        name = f"{prefixes[change.part]}_{layer.replace('.', '_')}"
        weights |= {f"{name}.lora_down.weight": change.down, f"{name}.lora_up.weight": change.up}
        if alpha is not None:
            weights[f"{name}.alpha"] = torch.tensor(alpha)
    save_file(weights, path)
    return path


def save_diffusers(path: Path, changes: list[Change], family: str = "") -> Path:
    """The layout of diffusers' and peft's scripts, where alpha is the rank."""
    weights = {}
    for change in changes:
        name = f"{change.part}.{change.layer}"
        weights |= {f"{name}.lora_A.weight": change.down, f"{name}.lora_B.weight": change.up}
    save_file(weights, path)
    return path


def save_old_diffusers(path: Path, changes: list[Change], family: str = "") -> Path:
    """The layout of diffusers' first scripts: factors belong to the attention's processor; no alpha."""
    weights = {}
    for change in changes:
        head, _, last = change.layer.removesuffix(".0").rpartition(".")
        if change.part == "unet" and last.startswith("to_"):
            name = f"unet.{head}.processor.{last}_lora"
        elif change.part == "unet":
            name = f"unet.{change.layer}.lora"
        else:
            name = f"{change.part}.text_model.{change.layer.removeprefix('text_model.')}.lora_linear_layer"
        weights |= {f"{name}.down.weight": change.down, f"{name}.up.weight": change.up}
    save_file(weights, path)
    return path


def save_original(path: Path, changes: list[Change], unet: torch.nn.Module, alpha: float) -> Path:
    """Kohya's files for XL: the U-Net's layers by the names of the original program."""
    state = unet.state_dict()
    names = dict(zip(state, original.unet(state, unet.config.layers_per_block, ""), strict=True))
    weights = {}
    for change in changes:
        name = names[f"{change.layer}.weight"].removesuffix(".weight")
        name = f"lora_unet_{name.replace('.', '_')}"
        weights |= {f"{name}.lora_down.weight": change.down, f"{name}.lora_up.weight": change.up}
        weights[f"{name}.alpha"] = torch.tensor(alpha)
    save_file(weights, path)
    return path


def check(model, plain, changes: list[Change], weight: float, alpha: float | None) -> None:
    """The layers changed by what is computed by hand, all others not at all, and nothing was added."""
    deltas = {
        (change.part, f"{change.layer}.weight"): change.delta(weight, len(change.down) if alpha is None else alpha)
        for change in changes
    }
    for name, part in parts_of(model).items():
        before = parts_of(plain)[name].state_dict()
        assert part.state_dict().keys() == before.keys()
        for key, tensor in part.state_dict().items():
            delta = deltas.pop((name, key), None)
            if delta is None:
                assert torch.equal(tensor, before[key]), key
            else:
                assert delta.abs().max() > 1e-3
                torch.testing.assert_close(tensor, before[key] + delta, atol=1e-6, rtol=1e-5)
    assert not deltas


@pytest.mark.parametrize("weight", [1.0, 0.6, -0.5])
@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_kohya_files_change_the_weights_by_the_formula(folders, tmp_path, family, weight):
    """Layers of several ranks and one alpha, matrices and convolutions, network and text encoders."""
    plain = load(folders[family])
    changes = changes_for(plain)
    path = save_kohya(tmp_path / "style.safetensors", changes, family)
    check(load(folders[family], (path, weight)), plain, changes, weight, ALPHA)


@pytest.mark.parametrize(
    "family, save",
    [*((family, save_diffusers) for family in LAYERS), ("sd15", save_old_diffusers), ("sdxl", save_old_diffusers)],
)
def test_diffusers_files_change_the_weights_by_the_formula(folders, tmp_path, family, save):
    """Without an alpha it is the rank."""
    plain = load(folders[family])
    changes = changes_for(plain)
    path = save(tmp_path / "style.safetensors", changes)
    check(load(folders[family], (path, 0.7)), plain, changes, 0.7, None)


def test_every_layer_of_a_unet_has_its_original_name(folders, tmp_path):
    """All layers of a tiny XL, each with an adapter, under the names that kohya's files for XL use."""
    plain = load(folders["sdxl"])
    layers = {
        name: layer
        for name, layer in plain.network.named_modules()
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)
    }
    generator = torch.Generator().manual_seed(3)
    changes = []
    for name, layer in layers.items():
        out, inside, *kernel = layer.weight.shape
        down = torch.randn(1, inside, *kernel, generator=generator)
        changes.append(Change("unet", name, down, torch.randn(out, 1, *[1] * len(kernel), generator=generator)))
    path = save_original(tmp_path / "style.safetensors", changes, plain.network, alpha=0.5)
    check(load(folders["sdxl"], (path, 1.0)), plain, changes, 1.0, 0.5)


@pytest.mark.parametrize("rslora, root", [(False, 1.0), (True, 0.5)])
def test_alpha_in_the_metadata_counts(folders, tmp_path, rslora, root):
    """Peft's configuration travels as metadata: one alpha, others for some layers, divided by the rank or its root."""
    plain = load(folders["sd15"])
    first, second = changes_for(plain, rank=4)[0], changes_for(plain, rank=4)[2]
    weights = {}
    for change in (first, second):
        name = f"{change.part}.{change.layer}"
        weights |= {f"{name}.lora_A.weight": change.down, f"{name}.lora_B.weight": change.up}
    config = {"unet.lora_alpha": 2, "unet.alpha_pattern": {second.layer: 6}, "unet.use_rslora": rslora}
    path = tmp_path / "style.safetensors"
    save_file(weights, path, metadata={"lora_adapter_metadata": json.dumps(config)})
    model = load(folders["sd15"], (path, 1.0))
    for change, alpha in ((first, 2.0), (second, 6.0)):
        after = model.network.get_submodule(change.layer).weight
        before = plain.network.get_submodule(change.layer).weight
        # Of rank 4: alpha / 4, or alpha / 2.
        torch.testing.assert_close(after, before + change.delta(1.0, alpha) / root, atol=1e-6, rtol=1e-5)


def test_several_add_up(folders, tmp_path):
    """Each is worked in with its own weight; the order does not matter but for rounding."""
    plain = load(folders["sd15"])
    first, second = changes_for(plain, seed=1), changes_for(plain, seed=2, rank=4)
    one = save_kohya(tmp_path / "one.safetensors", first, "sd15")
    two = save_kohya(tmp_path / "two.safetensors", second, "sd15")
    both = load(folders["sd15"], (one, 0.5), (two, -1.0))
    for a, b in zip(first, second, strict=True):
        weight = parts_of(both)[a.part].get_submodule(a.layer).weight
        before = parts_of(plain)[a.part].get_submodule(a.layer).weight
        expected = before + a.delta(0.5, ALPHA) + b.delta(-1.0, ALPHA)
        torch.testing.assert_close(weight, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_the_files_of_the_model_stay_as_they_are(tmp_path, family):
    """Weights may be views of the file they come from; what is worked in must not reach it."""
    tiny = save_tiny_file(tmp_path, family)
    model = load(tiny.folder)
    name, layer = next((n, m) for n, m in model.network.named_modules() if n.endswith("attn1.to_q"))
    change = Change("unet", name, torch.ones(RANK, layer.weight.shape[1]), torch.ones(layer.weight.shape[0], RANK))
    path = save_kohya(tmp_path / "style.safetensors", [change], family)
    files = [tiny.path, *tiny.folder.rglob("*.safetensors")]
    before = [file.read_bytes() for file in files]
    request = CheckpointRequest(str(tiny.path), loras=((str(path), 1.0),))
    one = load_checkpoint(request, device=CPU, dtype=torch.float32, configs=tiny.configs)
    two = load(tiny.folder, (path, 1.0))
    assert [file.read_bytes() for file in files] == before
    weights = [part.network.get_submodule(name).weight for part in (model, one, two)]
    assert torch.equal(weights[1], weights[2]) and not torch.equal(weights[0], weights[1])


def test_a_weight_of_zero_changes_nothing(folders, tmp_path):
    """Bit for bit."""
    plain = load(folders["sd15"])
    path = save_kohya(tmp_path / "style.safetensors", changes_for(plain), "sd15")
    check(load(folders["sd15"], (path, 0.0)), plain, [], 0.0, ALPHA)


def test_networks_stay_frozen_and_in_their_number_format(folders, tmp_path):
    """A LoRA in float32 does not turn a model in half precision into another."""
    path = save_kohya(tmp_path / "style.safetensors", changes_for(load(folders["sd15"])), "sd15")
    model = load(folders["sd15"], (path, 1.0), dtype=torch.bfloat16)
    for part in parts_of(model).values():
        assert {parameter.dtype for parameter in part.parameters()} == {torch.bfloat16}
        assert not any(parameter.requires_grad for parameter in part.parameters())
        assert not part.training


@pytest.mark.parametrize("save", [save_kohya, save_diffusers])
def test_a_lora_of_another_family_is_refused(folders, tmp_path, save):
    """The message names the file and the family of the model."""
    path = save(tmp_path / "style.safetensors", changes_for(load(folders["sdxl"])), "sdxl")
    with pytest.raises(CheckpointError, match=r"style\.safetensors.*family sd15"):
        load(folders["sd15"], (path, 1.0))


def test_a_layer_of_another_size_is_refused(folders, tmp_path):
    """1.5 and 2.1 have layers of the same names."""
    change = changes_for(load(folders["sd15"]))[0]
    wide = Change(change.part, change.layer, torch.zeros(RANK, 99), change.up)
    path = save_kohya(tmp_path / "style.safetensors", [wide], "sd15")
    with pytest.raises(CheckpointError, match=r"style\.safetensors.*attn1_to_q"):
        load(folders["sd15"], (path, 1.0))


@pytest.mark.parametrize(
    "name, what",
    [
        ("lora_unet_x.hada_w1_a", "LoHa"),
        ("lora_unet_x.lokr_w1", "LoKr"),
        ("x.weight", "no LoRA"),
        ("x.dora_scale", "DoRA"),
    ],
)
def test_what_is_no_lora_is_called_by_name(folders, tmp_path, name, what):
    """Relatives of LoRA come under the same name."""
    path = tmp_path / "style.safetensors"
    save_file({name: torch.zeros(2, 2)}, path)
    with pytest.raises(CheckpointError, match=what):
        load(folders["sd15"], (path, 1.0))


def test_missing_and_unsafe_files_are_refused(folders, tmp_path):
    """No file, or one that can run code."""
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(folders["sd15"], (tmp_path / "none.safetensors", 1.0))
    with pytest.raises(CheckpointError, match="can run any program"):
        load(folders["sd15"], (tmp_path / "style.pt", 1.0))
