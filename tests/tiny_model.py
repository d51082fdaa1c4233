"""Latent diffusion models of diffusers' real classes at tiny size, with random weights: enough for laws about the code.

One of each family: Stable Diffusion 1.5, SDXL (two text encoders, pooled embedding, sizes as conditions) and Stable
Diffusion 3 (a flow-matching transformer with three text encoders). A random VAE's decoder does not undo its encoder,
so pictures mean nothing here; the demo model is for those.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    ControlNetUnionModel,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    SD3ControlNetModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

TEXT_CHANNELS = 32
TEXT_POSITIONS = 16
VAE_FACTOR = 2
CONTROLS = ("depth", "normal")
PIPELINES = {
    "sd15": "StableDiffusionPipeline",
    "sdxl": "StableDiffusionXLPipeline",
    "sd3": "StableDiffusion3Pipeline",
}


@dataclass
class TinyModel:
    """The parts of a model, as diffusers' pipelines take them."""

    family: str
    """sd15, sdxl or sd3."""
    tokenizers: list[Any]
    text_encoders: list[Any]
    vae: AutoencoderKL
    network: UNet2DConditionModel | SD3Transformer2DModel
    controlnets: list[Any]
    """Two, whose residuals are not zero."""
    scheduler_config: dict[str, Any] = field(default_factory=dict)

    def scheduler(self, **options: Any) -> Any:
        """The scheduler that the family's checkpoints come with, in its own class."""
        kind = FlowMatchEulerDiscreteScheduler if self.family == "sd3" else DDIMScheduler
        return kind.from_config({**self.scheduler_config, **options})


def make_tiny_model(family: str = "sd15") -> TinyModel:
    """A model of a family, the same at every call."""
    torch.manual_seed(0)
    model = {"sd15": _make_sd15, "sdxl": _make_sdxl, "sd3": _make_sd3}[family]()
    _attentive(model.network)
    for net in model.controlnets:
        _attentive(net)
    for part in (*model.text_encoders, model.vae, model.network, *model.controlnets):
        part.eval().requires_grad_(False)
    return model


def save_tiny_model(folder: Path, family: str = "sd15") -> Path:
    """Write a tiny model as a diffusers folder, its ControlNets beside the network, and return the folder."""
    tiny = make_tiny_model(family)
    network = "transformer" if family == "sd3" else "unet"
    parts = {network: tiny.network, "vae": tiny.vae, "scheduler": tiny.scheduler()}
    for i, (tokenizer, encoder) in enumerate(zip(tiny.tokenizers, tiny.text_encoders, strict=True)):
        suffix = f"_{i + 1}" if i else ""
        parts |= {f"tokenizer{suffix}": tokenizer, f"text_encoder{suffix}": encoder}
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    for kind, net in zip(CONTROLS, tiny.controlnets, strict=True):
        net.save_pretrained(folder / f"controlnet_{kind}")
    classes = {name: [type(part).__module__.split(".")[0], type(part).__name__] for name, part in parts.items()}
    (folder / "model_index.json").write_text(json.dumps({"_class_name": PIPELINES[family], **classes}, indent=2))
    return folder


def make_union(unet: UNet2DConditionModel, modes: int = 4) -> ControlNetUnionModel:
    """One ControlNet for several kinds of control."""
    torch.manual_seed(1)
    config = {
        name: unet.config[name]
        for name in (
            "in_channels", "down_block_types", "block_out_channels", "layers_per_block", "norm_num_groups",
            "cross_attention_dim", "transformer_layers_per_block", "attention_head_dim", "use_linear_projection",
            "addition_embed_type", "addition_time_embed_dim", "projection_class_embeddings_input_dim",
        )
    }  # fmt: skip
    net = ControlNetUnionModel(
        **config,
        conditioning_embedding_out_channels=(8, 16),
        num_control_type=modes,
        num_trans_channel=32,
        num_trans_head=4,
        num_proj_channel=32,
    )
    return _speaking(net).eval().requires_grad_(False)


def _speaking(net: Any) -> Any:
    """A fresh ControlNet's outputs are zero by construction; these must say something."""
    for name, parameter in net.named_parameters():
        if not parameter.any() and "bias" not in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return net


def _attentive(network: Any) -> None:
    """Fresh attention looks at everything alike and says little; here it chooses, and what it finds matters."""
    for name, parameter in network.named_parameters():
        if name.endswith(("to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight")):
            parameter.data *= 2


def _make_vae(**options: Any) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
        **options,
    )


def _make_unet(**options: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        in_channels=4,
        out_channels=4,
        sample_size=16,
        block_out_channels=(32, 64),
        layers_per_block=1,
        attention_head_dim=8,
        norm_num_groups=8,
        **options,
    )


def _make_clip_tokenizer(pad_token: str = "<|endoftext|>") -> CLIPTokenizer:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789!,.:()[]"
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocab = {word: i for i, word in enumerate(words)}
    return CLIPTokenizer(vocab, [], model_max_length=TEXT_POSITIONS, pad_token=pad_token)


def _make_clip(tokenizer: CLIPTokenizer, kind: Any = CLIPTextModel, layers: int = 2) -> Any:
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_CHANNELS,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=TEXT_POSITIONS,
        projection_dim=TEXT_CHANNELS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return _loud(kind(config))


def _loud(encoder: Any) -> Any:
    """Embeddings large enough that words change the picture by more than rounding."""
    for name, parameter in encoder.named_parameters():
        if "embed" in name or "shared" in name:
            parameter.data.normal_()
    return encoder


def _make_t5() -> tuple[T5TokenizerFast, T5EncoderModel]:
    letters = "▁abcdefghijklmnopqrstuvwxyz0123456789!,.:()[]"
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -2.0) for letter in letters)]
    tokenizer = T5TokenizerFast(vocab=pieces, extra_ids=0)
    config = T5Config(
        vocab_size=len(pieces),
        d_model=2 * TEXT_CHANNELS,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        pad_token_id=0,
        eos_token_id=1,
    )
    return tokenizer, _loud(T5EncoderModel(config))


def _vp_config() -> dict[str, Any]:
    """Stable Diffusion's schedule."""
    return {
        "_class_name": "DDIMScheduler",
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "set_alpha_to_one": False,
        "steps_offset": 1,
        "timestep_spacing": "leading",
        "prediction_type": "epsilon",
    }


def _make_sd15() -> TinyModel:
    tokenizer = _make_clip_tokenizer()
    unet = _make_unet(
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=TEXT_CHANNELS,
    )
    return TinyModel(
        "sd15",
        [tokenizer],
        [_make_clip(tokenizer)],
        _make_vae(scaling_factor=0.5),
        unet,
        [_speaking(ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16))) for _ in CONTROLS],
        _vp_config(),
    )


def _make_sdxl() -> TinyModel:
    tokenizers = [_make_clip_tokenizer(), _make_clip_tokenizer(pad_token="!")]
    unet = _make_unet(
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=2 * TEXT_CHANNELS,
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=TEXT_CHANNELS + 6 * 8,
    )
    return TinyModel(
        "sdxl",
        tokenizers,
        [_make_clip(tokenizers[0], layers=3), _make_clip(tokenizers[1], CLIPTextModelWithProjection, layers=3)],
        _make_vae(scaling_factor=0.5),
        unet,
        [_speaking(ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16))) for _ in CONTROLS],
        _vp_config(),
    )


def _make_sd3() -> TinyModel:
    tokenizers: list[Any] = [_make_clip_tokenizer(), _make_clip_tokenizer(pad_token="!")]
    encoders = [_make_clip(tokenizer, CLIPTextModelWithProjection, layers=3) for tokenizer in tokenizers]
    t5_tokenizer, t5 = _make_t5()
    size: dict[str, Any] = dict(
        sample_size=16,
        patch_size=2,
        in_channels=4,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=2 * TEXT_CHANNELS,
        caption_projection_dim=32,
        pooled_projection_dim=2 * TEXT_CHANNELS,
        out_channels=4,
        pos_embed_max_size=32,
    )
    transformer = SD3Transformer2DModel(num_layers=2, **size)
    controlnets = [_speaking(SD3ControlNetModel(num_layers=1, **size)) for _ in CONTROLS]
    return TinyModel(
        "sd3",
        [*tokenizers, t5_tokenizer],
        [*encoders, t5],
        _make_vae(scaling_factor=0.5, shift_factor=0.06, use_quant_conv=False, use_post_quant_conv=False),
        transformer,
        controlnets,
        {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0},
    )
