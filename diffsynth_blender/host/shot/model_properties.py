"""The diffusion model and how it computes: what the artist chooses of it."""

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..compat import RELATIVE_PATH
from . import look_choice
from .control_properties import STILL


class DiffsynthLora(bpy.types.PropertyGroup):
    """One adapter of the model; an item of `scene.diffsynth.loras`."""

    path: StringProperty(
        name="File",
        description="A LoRA made for the model: a .safetensors file",
        default="",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
    )
    weight: FloatProperty(
        name="Weight",
        description="How much the LoRA changes; negative turns it round",
        default=1.0,
        min=-10.0,
        max=10.0,
        soft_min=-2.0,
        soft_max=2.0,
        options=STILL,
    )


class ModelChoice:
    """Part of `scene.diffsynth`; a mix-in."""

    model: EnumProperty(
        name="Model",
        description="Which diffusion model makes the pictures",
        items=(
            ("DEMO", "Demo", "The small model that comes with the extension: for trying things out, small frames"),
            ("FOLDER", "Folder", "A model of yours on disk, in the layout of the diffusers library"),
            ("FILE", "File", "A model of yours on disk, in one .safetensors file"),
        ),
        default="DEMO",
        update=lambda chosen, context: look_choice.change_model(chosen),
        options=STILL,
    )
    model_folder: StringProperty(
        name="Model Folder",
        description="Folder of the model: it holds model_index.json",
        default="",
        subtype="DIR_PATH",
        options=RELATIVE_PATH,
    )
    model_file: StringProperty(
        name="Model File",
        description="The model: a .safetensors file",
        default="",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
    )
    vae: StringProperty(
        name="VAE",
        description="What turns the model's numbers into pictures, in place of the model's own: a .safetensors file, "
        "or a folder in the layout of the diffusers library. Empty for the model's own",
        default="",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
    )
    filled_for_demo: BoolProperty(
        name="Values for the Demo Model",
        description="Whether the look's values were last filled in for the demo model",
        default=True,
        options={"HIDDEN"},
    )
    clip_skip: IntProperty(
        name="Clip Skip",
        description="How many last layers of the text encoder are left out; some models want 1",
        default=0,
        min=0,
        max=11,
        soft_max=4,
        options=STILL,
    )
    sampler: EnumProperty(
        name="Sampler",
        description="How the denoising steps are made",
        items=(
            ("DDIM", "DDIM", "Robust; the paper's"),
            ("DPMPP_2M", "DPM++ 2M", "Fine detail in few steps"),
            ("UNIPC", "UniPC", "Fine detail in very few steps"),
            ("EULER", "Euler", "Simple and soft"),
            ("LCM", "LCM", "For models and LoRAs distilled to 4 to 8 steps (latent consistency)"),
            ("TCD", "TCD", "For LoRAs distilled to 4 to 8 steps (trajectory consistency)"),
            ("FLOW_EULER", "Flow Euler", "For flow models such as Stable Diffusion 3"),
        ),
        default="DDIM",
        options=STILL,
    )
    annotators: StringProperty(
        name="Weights Folder",
        description="Folder with the weights of what controls are estimated with; empty where none needs any",
        default="",
        subtype="DIR_PATH",
        options=RELATIVE_PATH,
    )
    device: EnumProperty(
        name="Device",
        description="Where the worker computes",
        items=(
            ("AUTO", "Automatic", "The graphics card when the worker can use one, else the processor"),
            ("CPU", "CPU", "The processor: slow, works everywhere"),
            ("CUDA", "CUDA", "An NVIDIA graphics card; an error when there is none"),
        ),
        default="AUTO",
        options=STILL,
    )
    precision: EnumProperty(
        name="Precision",
        description="Number format of the model",
        items=(
            ("AUTO", "Automatic", "Half where the device has hardware for it"),
            ("FLOAT32", "Full", "32 bits: takes twice the memory"),
            ("FLOAT16", "Half", "16 bits"),
            ("BFLOAT16", "Half, Wide Range", "bfloat16: 16 bits with the range of 32"),
        ),
        default="AUTO",
        options=STILL,
    )
    batch: IntProperty(
        name="Frames at Once",
        description="Frames that go through the model together; 0 for as many as suit the device",
        default=0,
        min=0,
        max=1024,
        soft_max=16,
        options=STILL,
    )
    tiny_vae: BoolProperty(
        name="Quick Decoder",
        description="Hold steady through the model's tiny decoder, where it has one: much faster, hardly visible",
        default=True,
        options=STILL,
    )
    baseline: BoolProperty(
        name="Independent Frames Too",
        description="Also make each frame by itself, for the report to compare with: takes twice as long",
        default=False,
        options=STILL,
    )


CLASSES = (DiffsynthLora,)
