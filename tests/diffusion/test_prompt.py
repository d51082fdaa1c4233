from typing import Any

import pytest
import torch
from diffusers import StableDiffusion3ControlNetPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline

from diffsynth_blender.diffusion.prompt import encode_prompts
from diffsynth_blender.diffusion.prompt_weights import parse_weights
from tests.tiny_model import make_tiny_model

SHORT = ("grey", "a red cube")


@pytest.mark.parametrize(
    ("prompt", "runs"),
    [
        ("", [("", 1.0)]),
        ("a red house", [("a red house", 1.0)]),
        ("a (red) house", [("a ", 1.0), ("red", 1.1), (" house", 1.0)]),
        ("a (red:1.3) house", [("a ", 1.0), ("red", 1.3), (" house", 1.0)]),
        ("[dull] sky", [("dull", 1 / 1.1), (" sky", 1.0)]),
        ("((gold:2), leaf:0.5)", [("gold", 1.0), (", leaf", 0.5)]),
        (r"cube \(red\) \\", [("cube (red) \\", 1.0)]),
        ("ratio 1:2, it: (a: b:.5)", [("ratio 1:2, it: ", 1.0), ("a: b", 0.5)]),
        ("so (open", [("so ", 1.0), ("open", 1.1)]),
        ("a) b] c", [("a) b] c", 1.0)]),
        ("(a] b)", [("a] b", 1.1)]),
        ("(negative:-0.5)", [("negative", -0.5)]),
        ("back\\slash", [("back\\slash", 1.0)]),
    ],
)
def test_weights_are_read_as_written(prompt, runs):
    """Brackets, numbers, nesting and escapes give runs of text with their weights."""
    found = parse_weights(prompt)
    assert [text for text, _ in found] == [text for text, _ in runs]
    assert [weight for _, weight in found] == pytest.approx([weight for _, weight in runs])


@pytest.fixture(scope="module")
def models():
    return {family: make_tiny_model(family) for family in ("sd15", "sdxl", "sd3")}


def encode(model, prompts, **options):
    return encode_prompts(model.family, model.tokenizers, model.text_encoders, prompts, **options)


def pipeline(model) -> Any:
    encoders, tokenizers = model.text_encoders, model.tokenizers
    if model.family == "sd15":
        return StableDiffusionPipeline(
            model.vae, encoders[0], tokenizers[0], model.network, model.scheduler(), None, None, None,
            requires_safety_checker=False,
        )  # fmt: skip
    if model.family == "sdxl":
        return StableDiffusionXLPipeline(model.vae, *encoders, *tokenizers, model.network, model.scheduler())
    pairs = [part for pair in zip(encoders, tokenizers, strict=True) for part in pair]
    return StableDiffusion3ControlNetPipeline(model.network, model.scheduler(), model.vae, *pairs, model.controlnets[0])


# For sd15, diffusers' clip_skip asks for a layer by a name that this release of transformers no longer has; see below.
@pytest.mark.parametrize(("family", "clip_skip"), [("sd15", 0), ("sdxl", 0), ("sdxl", 1), ("sd3", 0), ("sd3", 1)])
def test_short_plain_prompts_are_what_diffusers_makes_of_them(models, family, clip_skip):
    """States and pooled embeddings equal those of diffusers' own pipelines, bit for bit."""
    model = models[family]
    ours = encode(model, SHORT, clip_skip=clip_skip)
    options = {"device": torch.device("cpu"), "num_images_per_prompt": 1, "do_classifier_free_guidance": False}
    if family == "sd3":
        options |= {"prompt_2": None, "prompt_3": None}
    for i, prompt in enumerate(SHORT):
        theirs = pipeline(model).encode_prompt(prompt=prompt, clip_skip=clip_skip or None, **options)
        assert torch.equal(ours.states[i : i + 1], theirs[0])
        if ours.pooled is not None:
            assert torch.equal(ours.pooled[i : i + 1], theirs[2])


def test_clip_skip_reads_an_earlier_layer_behind_the_norm(models):
    """For Stable Diffusion 1.5, one layer less is the norm of the last layer's input."""
    model = models["sd15"]
    tokenizer, encoder = model.tokenizers[0], model.text_encoders[0]
    ids = tokenizer(SHORT[1], padding="max_length", return_tensors="pt").input_ids
    expected = encoder.final_layer_norm(encoder(ids, output_hidden_states=True).hidden_states[-2])
    assert torch.equal(encode(model, SHORT[1:], clip_skip=1).states, expected)
    with pytest.raises(ValueError, match="leaves no layer"):
        encode(model, SHORT, clip_skip=2)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_long_prompts_are_read_to_their_end(models, family):
    """The first chunk is that of its own tokens, the prompts get equally many chunks, and the last word counts."""
    model = models[family]
    words = "a b c d e f g h i j k l m n"  # 14 tokens fill a chunk of the tiny encoder
    tail = " o p q"
    ours = encode(model, ("", words + tail))
    assert ours.states.shape[1] == 2 * 16
    assert torch.equal(ours.states[1, :16], encode(model, (words,)).states[0])
    torch.testing.assert_close(ours.states[1, 16:], encode(model, (tail,)).states[0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(ours.states[0, 16:], ours.states[0, :16], atol=1e-6, rtol=1e-5)
    assert not torch.equal(ours.states, encode(model, ("", words + " o p r")).states)


def test_t5_reads_on(models):
    """A prompt longer than 256 tokens makes T5's part longer, to its last word."""
    long = "word " * 60
    ours = encode(models["sd3"], ("", long))
    chunks = -(-60 * 4 // 14)
    assert ours.states.shape[1] == chunks * 16 + 2 * 256
    assert not torch.equal(ours.states, encode(models["sd3"], ("", long[:-2] + "x ")).states)


@pytest.mark.parametrize("family", ["sd15", "sdxl", "sd3"])
def test_weights_move_their_words_alone(models, family):
    """Weight 1 changes nothing, weight 0 says what the empty prompt says, others lie on the line between."""
    model = models[family]
    plain = encode(model, ("a red cube",)).states
    assert torch.equal(encode(model, ("a (red:1.0) cube",)).states, plain)
    empty = encode(model, ("",)).states
    nothing, double = encode(model, ("a (red:0) cube",)).states, encode(model, ("a (red:2) cube",)).states
    changed = (nothing != plain).any(-1)
    assert 0 < changed.sum() < changed.numel() / 2
    torch.testing.assert_close(nothing[changed], empty[changed], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(double - plain, plain - nothing, atol=1e-5, rtol=1e-4)
