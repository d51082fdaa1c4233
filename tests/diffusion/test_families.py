import pytest
import torch
from diffusers import StableDiffusionControlNetPipeline
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection

from diffsynth_blender.diffusion.attention import FrameAttention
from diffsynth_blender.diffusion.conditioning import ControlInput
from diffsynth_blender.diffusion.denoise import denoise
from diffsynth_blender.diffusion.families import Reference, Split, UNetDenoiser, make_denoiser
from diffsynth_blender.diffusion.image_prompt import embed_picture
from diffsynth_blender.diffusion.noise import fixed_noise
from diffsynth_blender.diffusion.prompt import TextEmbeddings, encode_prompts
from diffsynth_blender.diffusion.regions import RegionPrompts
from diffsynth_blender.diffusion.sampler import Sampler
from diffsynth_blender.diffusion.windows import frame_windows
from tests.diffusion.clip import PROMPTS, SIZE, control_images, controls_of, make_codec, pictures, run
from tests.tiny_model import make_tiny_model

COUNT = 4
APART = {"batch_memory": lambda evaluate: evaluate(Split(branches_apart=True))}


@pytest.fixture
def frames():
    return pictures(COUNT, 7)


@pytest.fixture(params=["sd15", "sdxl"])
def model(request):
    """A model whose networks may be changed."""
    return make_tiny_model(request.param)


def attending(model, *pattern, **options):
    attention = FrameAttention(pattern, **options)
    attention.attach(model.network, *model.controlnets)
    return attention


def test_attention_to_oneself_is_the_plain_model(model, frames):
    """Looking at no other frame changes nothing; looking at others does, with branches together or apart."""
    windows = frame_windows(COUNT, 3, 2)
    plain = run(model, frames, windows=windows)
    alone = attending(model, "self")
    torch.testing.assert_close(run(model, frames, windows=windows, attention=alone), plain, atol=1e-4, rtol=1e-4)
    alone.detach()
    attention = attending(model, "first", "previous", "self", "next")
    together = run(model, frames, windows=windows, attention=attention)
    assert (together - plain).abs().max() > 0.01
    apart = run(model, frames, windows=windows, attention=attention, **APART)
    torch.testing.assert_close(apart, together, atol=1e-4, rtol=1e-4)


def test_frames_that_look_at_each_other_are_not_split(tiny, frames):
    """Fewer frames in a call are for models whose frames are independent; others keep their windows whole."""
    attention = attending(tiny, "first", "previous", "self", "next")
    rows = []
    hook = tiny.network.register_forward_hook(lambda *call: rows.append(len(call[-1][0])))
    try:
        expected = run(tiny, frames, attention=attention)
        found = run(tiny, frames, attention=attention, batch_memory=lambda evaluate: evaluate(Split(frames=1)))
    finally:
        hook.remove()
        attention.detach()
    assert torch.equal(found, expected)
    assert set(rows) == {2 * COUNT}


def test_a_static_clip_stays_static_under_attention(model):
    """Equal frames that look at each other stay equal to rounding, over overlapping windows."""
    clip = pictures(1, 7).repeat(COUNT, 1, 1, 1)
    image = control_images(1, 0).repeat(COUNT, 1, 1, 1)
    controls = [type(control)(control.net, image) for control in controls_of(model, COUNT)]
    attention = attending(model, "first", "previous", "self", "next")
    found = run(model, clip, controls=controls, attention=attention, windows=frame_windows(COUNT, 3, 2))
    torch.testing.assert_close(found, found[:1].expand_as(found), atol=1e-4, rtol=1e-4)


def test_every_frame_looks_at_the_reference(model, frames):
    """Another picture, another result, for each frame; branches apart see the same picture."""
    codec = make_codec(model)
    attention = attending(model, "self", with_reference=True)
    noise = fixed_noise(1, codec.latent_shape, seed=5)
    found = []
    for seed in (20, 21):
        reference = Reference(codec.encode(pictures(1, seed)), noise)
        found.append(run(model, frames, attention=attention, reference=reference))
    assert ((found[0] - found[1]).abs().amax(dim=(1, 2, 3)) > 1e-3).all()
    apart = run(model, frames, attention=attention, reference=reference, **APART)
    torch.testing.assert_close(apart, found[1], atol=1e-4, rtol=1e-4)


def test_regions_listen_to_their_prompts(model, frames):
    """A region of the whole picture with a prompt is that prompt, an empty one changes nothing.

    Regions also go with a reference picture, on which they do not lie.
    """
    text = encode_prompts(model.family, model.tokenizers, model.text_encoders, ("grey", "gold", "a red cube"))
    pooled = None if text.pooled is None else text.pooled[[0, 2]]
    plain = denoise_with(model, frames, TextEmbeddings(text.states[[0, 2]], pooled))
    # SDXL's vector of the whole prompt has no place in the picture, so it stays the main prompt's.
    gold = denoise_with(model, frames, TextEmbeddings(text.states[[0, 1]], pooled))
    for share, expected in ((0.0, plain), (1.0, gold)):
        regions = RegionPrompts(torch.full((1, COUNT, SIZE, SIZE), share), text.states[1:2])
        regions.attach(model.network, *model.controlnets)
        found = denoise_with(model, frames, TextEmbeddings(text.states[[0, 2]], pooled), regions=regions)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
        attention = attending(model, "self", with_reference=True)
        codec = make_codec(model)
        reference = Reference(codec.encode(pictures(1, 20)), fixed_noise(1, codec.latent_shape, seed=5))
        run(model, frames, regions=regions, attention=attention, reference=reference)
        attention.detach()
        regions.detach()


def denoise_with(model, frames, text, **options):
    codec = make_codec(model)
    sampler = Sampler("ddim", model.scheduler_config, steps=4, strength=1.0)
    start = sampler.start(None, fixed_noise(len(frames), codec.latent_shape, seed=0))
    denoiser = UNetDenoiser(
        model.network, text, guidance_scale=3.0, size=(SIZE, SIZE), controls=controls_of(model, COUNT), **options
    )
    return denoise(denoiser, sampler, start)


@pytest.mark.parametrize("family", ["sd15", "sd3"])
def test_values_that_change_along_the_shot(family, frames):
    """Each frame is what it would be if its own guidance and control scale were those of all frames."""
    model = make_tiny_model(family)
    sampler = "flow_euler" if family == "sd3" else "ddim"
    guidance, scales = torch.tensor([1.0, 2.0, 3.0, 5.0]), torch.tensor([0.0, 0.5, 1.0, 1.5])

    def latents(guidance_scale, scale):
        controls = controls_of(model, COUNT, scale=[scale] * len(model.controlnets))
        return run(model, frames, sampler=sampler, guidance_scale=guidance_scale, controls=controls)

    animated = latents(guidance, scales)
    for frame in range(COUNT):
        expected = latents(float(guidance[frame]), float(scales[frame]))
        torch.testing.assert_close(animated[frame], expected[frame], atol=1e-4, rtol=1e-4)
    assert (animated - latents(3.0, 1.0)).abs().max() > 0.01


def test_a_union_model_has_one_scale(tiny):
    """What its fusion of several controls cannot do by frame is refused."""
    with pytest.raises(ValueError, match="cannot change from frame to frame"):
        ControlInput(tiny.controlnets[0], control_images(COUNT, 0), torch.ones(COUNT), union_mode=0)


@pytest.mark.parametrize("size", [(32, 32), (30, 26), (34, 50)])
@pytest.mark.parametrize("family", ["sd15", "sdxl", "sd3"])
def test_pictures_of_any_size(family, size):
    """Latents that blocks and patches do not divide come out at their own size."""
    model = make_tiny_model(family)
    sampler = Sampler("flow_euler" if family == "sd3" else "ddim", model.scheduler_config, steps=2, strength=1.0)
    shape = (4, size[0] // 2, size[1] // 2)
    images = torch.rand(2, 3, *size)
    controls = [type(control)(control.net, images) for control in controls_of(model, 2)]
    text = encode_prompts(family, model.tokenizers, model.text_encoders, PROMPTS)
    denoiser = make_denoiser(
        family, model.network, text, vae=model.vae, size=size, guidance_scale=2.0, controls=controls
    )
    latents = denoise(denoiser, sampler, sampler.start(None, fixed_noise(2, shape, seed=0)))
    assert latents.shape == (2, *shape) and torch.isfinite(latents).all()


def test_half_precision_networks_give_float32_latents(tiny, frames):
    """The networks compute in their own dtype; the result stays near that of full precision."""
    half = make_tiny_model()
    for part in (half.network, *half.controlnets, *half.text_encoders):
        part.to(torch.bfloat16)
    found = run(half, frames, strength=1.0)
    expected = run(tiny, frames, strength=1.0)
    assert found.dtype == torch.float32
    assert (found - expected).abs().mean() < 0.1 * expected.abs().mean()


@pytest.fixture(scope="module")
def adapted():
    """A model with an IP-Adapter, its image encoder and its extractor."""
    model = make_tiny_model()
    torch.manual_seed(0)
    channels, tokens, width = 32, 4, 24
    projection = {
        "proj.weight": torch.randn(tokens * channels, width),
        "proj.bias": torch.randn(tokens * channels),
        "norm.weight": torch.ones(channels),
        "norm.bias": torch.zeros(channels),
    }
    layers = {}
    for i, name in enumerate(model.network.attn_processors):
        if "attn2" in name:
            hidden = model.network.get_submodule(name.removesuffix(".processor")).to_k.weight.shape[0]
            layers |= {f"{i}.to_{kind}_ip.weight": torch.randn(hidden, channels) for kind in "kv"}
    model.network._load_ip_adapter_weights([{"image_proj": projection, "ip_adapter": layers}])
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        projection_dim=width,
    )
    extractor = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    return model, CLIPVisionModelWithProjection(config).eval(), extractor


def test_a_picture_as_prompt_is_diffusers_own(adapted):
    """With an IP-Adapter each frame is what diffusers' pipeline makes of the same picture."""
    model, encoder, extractor = adapted
    picture = pictures(1, 30)[0]
    bytes_of = (picture * 255).round().byte().numpy()
    embeds = embed_picture(model.network, encoder, extractor, picture)
    text = encode_prompts("sd15", model.tokenizers, model.text_encoders, PROMPTS)
    sampler = Sampler("ddim", model.scheduler_config, steps=4, strength=1.0)
    codec = make_codec(model)
    start = sampler.start(None, fixed_noise(COUNT, codec.latent_shape, seed=0))
    controls = controls_of(model, COUNT, scale=[1.0, 0.5])
    denoiser = UNetDenoiser(model.network, text, guidance_scale=3.0, controls=controls, image_embeds=embeds)
    ours = denoise(denoiser, sampler, start)
    pipeline = StableDiffusionControlNetPipeline(
        model.vae, model.text_encoders[0], model.tokenizers[0], model.network, model.controlnets, model.scheduler(),
        None, extractor, image_encoder=encoder, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        prompt=PROMPTS[1],
        negative_prompt=PROMPTS[0],
        image=[control_images(COUNT, i)[2:3] for i in range(2)],
        ip_adapter_image=Image.fromarray(bytes_of),
        num_inference_steps=4,
        guidance_scale=3.0,
        controlnet_conditioning_scale=[1.0, 0.5],
        generator=torch.Generator("cpu").manual_seed(0),
        output_type="latent",
    ).images
    torch.testing.assert_close(ours[2:3], theirs, atol=1e-4, rtol=1e-4)


def test_what_a_family_cannot_do_is_refused(tiny, tiny_sd3):
    """Networks that want inputs the loop does not have, and steering that a transformer does not know."""
    text = TextEmbeddings(torch.zeros(2, 16, 32))
    sdxl = make_tiny_model("sdxl")
    with pytest.raises(ValueError, match="as one vector"):
        UNetDenoiser(sdxl.network, text)
    with pytest.raises(ValueError, match="IP-Adapter"):
        embed_picture(tiny.network, None, None, torch.zeros(4, 4, 3))
    with pytest.raises(ValueError, match="Stable Diffusion 3"):
        make_denoiser(
            "sd3", tiny_sd3.network, text, vae=tiny_sd3.vae, size=(32, 32), guidance_scale=1.0,
            attention=FrameAttention(("self", "next")),
        )  # fmt: skip
