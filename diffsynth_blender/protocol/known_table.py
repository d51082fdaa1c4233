"""The literal table of the models this product knows, with all it takes to fetch them.

Sizes, hashes and revisions are there where public listings of the same files give them: the download list of
krita-ai-diffusion (models.json), with a second one that agrees for the union ControlNet; for the two base models other
public repositories that agree. Where there is no hash, a download is verified by what the hub itself says of the file.
Memory is that of the weights in half precision (VAE in full), from the numbers of weights published with the models.

Control conventions are the same throughout: depth is bright near the camera; normal maps are those of ControlNet 1.1
(BAE: blue faces the camera, red left, green up), which the worker makes from exact passes.
"""

from .known_model import FAMILY_LABELS, KnownFile, KnownModel, ModelFamily

_CONTROLNETS = "comfyanonymous/ControlNet-v1-1_fp16_safetensors"
_IMAGE_ENCODER_SHA256 = "6ca9667da1ca9e0b0f75e46bb030f7e011f44f86cbfb8d5a36590fcd7507b030"


def _controlnet(kind: str, file: str, label: str, sha256: str | None = None) -> KnownModel:
    return KnownModel(
        f"sd15-{kind}",
        f"ControlNet 1.1 {label} (SD 1.5)",
        "controlnet",
        "sd15",
        "OpenRAIL",
        (KnownFile(_CONTROLNETS, file, f"sd15/controlnet_{kind}.safetensors", sha256=sha256),),
        memory_gb=0.7,
        controls=(kind,),
    )


def _tiny_vae(family: ModelFamily, repository: str) -> KnownModel:
    names = ("diffusion_pytorch_model.safetensors", "config.json")
    return KnownModel(
        f"{family}-tiny-vae",
        f"Tiny VAE ({FAMILY_LABELS[family]})",
        "tiny_vae",
        family,
        "MIT",
        tuple(KnownFile(repository, name, f"{family}/vae_tiny/{name}") for name in names),
        memory_gb=0.1,
    )


def _ip_adapter(family: ModelFamily, file: str, sha256: str) -> KnownModel:
    target = f"{family}/ip_adapter"
    return KnownModel(
        f"{family}-ip-adapter",
        f"IP-Adapter ({FAMILY_LABELS[family]})",
        "ip_adapter",
        family,
        "Apache-2.0",
        (
            KnownFile("h94/IP-Adapter", file, f"{target}/{file.rpartition('/')[2]}", sha256=sha256),
            KnownFile(
                "h94/IP-Adapter",
                "models/image_encoder/model.safetensors",
                f"{target}/image_encoder/model.safetensors",
                sha256=_IMAGE_ENCODER_SHA256,
            ),
            KnownFile("h94/IP-Adapter", "models/image_encoder/config.json", f"{target}/image_encoder/config.json"),
        ),
        memory_gb=1.3,
    )


def _lora(
    name: str, label: str, family: ModelFamily, licence: str, file: KnownFile, sampler: str, steps: int
) -> KnownModel:
    return KnownModel(name, label, "lora", family, licence, (file,), sampler=sampler, steps=steps)


TABLE = (
    KnownModel(
        "sd15",
        "Stable Diffusion 1.5",
        "base",
        "sd15",
        "CreativeML Open RAIL-M",
        (
            KnownFile(
                "Comfy-Org/stable-diffusion-v1-5-archive",
                "v1-5-pruned-emaonly-fp16.safetensors",
                "sd15/v1-5-pruned-emaonly-fp16.safetensors",
                2_132_696_762,
                "e9476a13728cd75d8279f6ec8bad753a66a1957ca375a1464dc63b37db6e3916",
            ),
        ),
        memory_gb=2.3,
    ),
    KnownModel(
        "sdxl",
        "Stable Diffusion XL",
        "base",
        "sdxl",
        "CreativeML Open RAIL++-M",
        (
            KnownFile(
                "stabilityai/stable-diffusion-xl-base-1.0",
                "sd_xl_base_1.0.safetensors",
                "sdxl/sd_xl_base_1.0.safetensors",
                6_938_078_334,
                "31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b",
                "462165984030d82259a11f4367a4eed129e94a7b",
            ),
        ),
        memory_gb=7.1,
    ),
    _controlnet("depth", "control_v11f1p_sd15_depth_fp16.safetensors", "Depth"),
    _controlnet("normal", "control_v11p_sd15_normalbae_fp16.safetensors", "Normal"),
    _controlnet(
        "softedge",
        "control_v11p_sd15_softedge_fp16.safetensors",
        "Soft Edge",
        "e78fea5b4599fec2ecd7e3f14b171feb290b88200c95d569ec0ff59a19bc3478",
    ),
    _controlnet(
        "lineart",
        "control_v11p_sd15_lineart_fp16.safetensors",
        "Line Art",
        "10559106d1bb8196298b7a81565ede9279295d2b2df15165b9dbe189994def56",
    ),
    _controlnet(
        "canny",
        "control_v11p_sd15_canny_fp16.safetensors",
        "Canny",
        "8932b66e15aae835b3490dbf989f56c253104cee08a88bf21283762f557c9f10",
    ),
    _controlnet("tile", "control_v11f1e_sd15_tile_fp16.safetensors", "Tile"),
    _controlnet("shuffle", "control_v11e_sd15_shuffle_fp16.safetensors", "Shuffle"),
    KnownModel(
        "sdxl-union",
        "ControlNet Union (SD XL)",
        "controlnet",
        "sdxl",
        "Apache-2.0",
        (
            KnownFile(
                "xinsir/controlnet-union-sdxl-1.0",
                "diffusion_pytorch_model_promax.safetensors",
                "sdxl/controlnet_union.safetensors",
                2_513_342_408,
                "9fae2e50cb431bfcbe05822b59ec2228df545ef27f711dea8949e9f4ed9f7cdc",
            ),
        ),
        memory_gb=2.5,
        controls=("depth", "normal", "softedge", "lineart", "canny", "tile"),
    ),
    _lora(
        "sd15-lcm",
        "LCM, 4 to 8 steps (SD 1.5)",
        "sd15",
        "CreativeML Open RAIL++-M",
        KnownFile(
            "latent-consistency/lcm-lora-sdv1-5", "pytorch_lora_weights.safetensors", "sd15/lora_lcm.safetensors"
        ),
        "lcm",
        8,
    ),
    _lora(
        "sdxl-lcm",
        "LCM, 4 to 8 steps (SD XL)",
        "sdxl",
        "CreativeML Open RAIL++-M",
        KnownFile("latent-consistency/lcm-lora-sdxl", "pytorch_lora_weights.safetensors", "sdxl/lora_lcm.safetensors"),
        "lcm",
        8,
    ),
    _lora(
        "sd15-hyper",
        "Hyper-SD, 8 steps with guidance (SD 1.5)",
        "sd15",
        "as its repository says",
        KnownFile(
            "ByteDance/Hyper-SD",
            "Hyper-SD15-8steps-CFG-lora.safetensors",
            "sd15/lora_hyper.safetensors",
            sha256="f6123d5b950d5250ab6c33600e27f4dcf71b3099ebf888685e01e9e8117ce482",
        ),
        "ddim",
        8,
    ),
    _lora(
        "sdxl-hyper",
        "Hyper-SD, 8 steps with guidance (SD XL)",
        "sdxl",
        "as its repository says",
        KnownFile(
            "ByteDance/Hyper-SD",
            "Hyper-SDXL-8steps-CFG-lora.safetensors",
            "sdxl/lora_hyper.safetensors",
            sha256="55b51334c85061afff5eff7c550b61963c8b8607a5868bbe4f26db49374719b1",
        ),
        "ddim",
        8,
    ),
    _tiny_vae("sd15", "madebyollin/taesd"),
    _tiny_vae("sdxl", "madebyollin/taesdxl"),
    _ip_adapter(
        "sd15",
        "models/ip-adapter_sd15.safetensors",
        "289b45f16d043d0bf542e45831f971dcdaabe18b656f11e86d9dfba7e9ee3369",
    ),
    _ip_adapter(
        "sdxl",
        "sdxl_models/ip-adapter_sdxl_vit-h.safetensors",
        "ebf05d918348aec7abb02a5e9ecef77e0aaea6914a5c4ea13f50d45eb1681831",
    ),
)
