"""The picture whose look is taken over: what the artist chooses of it."""

from bpy.props import BoolProperty, FloatProperty, StringProperty

from ..compat import RELATIVE_PATH
from .control_properties import STILL


class ReferenceChoice:
    """Part of `scene.diffsynth`; a mix-in."""

    use_reference: BoolProperty(
        name="Reference Picture",
        description="Take over the look of a picture",
        default=False,
        options=STILL,
    )
    reference_image: StringProperty(
        name="Picture",
        description="A PNG file whose look is taken over",
        default="",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
    )
    reference_attention: BoolProperty(
        name="Frames Look at It",
        description="Every frame also looks at the picture while it is made; needs nothing beyond the model",
        default=True,
        options=STILL,
    )
    ip_adapter: StringProperty(
        name="IP-Adapter",
        description="An IP-Adapter made for the model: its .safetensors file, or the folder that holds it. Its image "
        "encoder lies beside it in image_encoder, or as ComfyUI keeps it in clip_vision. Empty for none",
        default="",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
    )
    ip_adapter_scale: FloatProperty(
        name="Strength",
        description="How much the IP-Adapter adds of the picture",
        default=0.6,
        min=0.0,
        soft_max=1.5,
        options=STILL,
    )
