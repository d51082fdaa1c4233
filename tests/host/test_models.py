"""Models from Blender: what a shot lacks, fetched by one button from a hub on loopback, and files of one's own."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

from diffsynth_blender.environment.errors import SetupCancelledError, SetupError
from diffsynth_blender.host import addon
from diffsynth_blender.host.preferences import worker_python
from diffsynth_blender.host.setup import models_found, models_operators, models_properties, models_run
from diffsynth_blender.host.setup import run as setup_run
from diffsynth_blender.host.setup.models_found import draw_found
from diffsynth_blender.host.setup.models_needs import needs_of, needs_of_look
from diffsynth_blender.host.setup.models_use import use_fetched, use_found
from diffsynth_blender.host.setup.models_worker import ModelWorker
from diffsynth_blender.host.shot.panel_controls import DIFFSYNTH_PT_reference
from diffsynth_blender.host.shot.panel_model import DIFFSYNTH_PT_loras
from diffsynth_blender.host.shot.panels import DIFFSYNTH_PT_stylise
from diffsynth_blender.protocol.known_models import KNOWN_MODELS
from tests.host.drawing import draw
from tests.host.shots import make_shot
from tests.models.hub_server import TestHub, serve_hub

SECRET = "hf_a_secret"


def weights(name: str, *shape: int) -> bytes:
    """A .safetensors file of one tensor of zeros, without the library that the host has not."""
    count = 4
    for size in shape:
        count *= size
    header = json.dumps({name: {"dtype": "F32", "shape": shape, "data_offsets": [0, count]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(count)


BASE = weights("model.diffusion_model.input_blocks.0.0.weight", 8, 4, 3, 3)
NET = weights("control_model.zero_convs.0.0.weight", 32, 32)
LORA = weights("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight", 4, 768)


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """A small shot; models lie in an empty folder."""
    monkeypatch.setattr(models_properties, "user_folder", lambda: tmp_path / "Künstlerin")
    addon.register()
    yield make_shot(width=32, height=24)
    addon.unregister()


@pytest.fixture
def hub(monkeypatch):
    """A hub that has small files under the names of the table, with hashes of its own."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with serve_hub(TestHub()) as server:
        for model in KNOWN_MODELS.values():
            for file in model.files:
                server.files[f"{file.repository}/{file.name}"] = BASE if model.kind == "base" else NET
        yield server


@pytest.fixture
def worker(hub, tmp_path) -> ModelWorker:
    return ModelWorker(worker_python(), tmp_path / "models", hub.endpoint, SECRET)


def finished() -> setup_run.SetupRun:
    """The run under way, at its end, with what follows it done."""
    run = setup_run.current()
    deadline = time.monotonic() + 120
    while run.is_running and time.monotonic() < deadline:
        time.sleep(0.05)
    return run


def test_the_demo_model_lacks_nothing(scene):
    """And with it no button is in the way."""
    assert not needs_of(scene.diffsynth).sentence
    assert "Fetch What Is Missing" not in str(draw(DIFFSYNTH_PT_stylise))


def test_what_a_shot_lacks_is_told_before_the_start(scene, tmp_path):
    """Model and ControlNets by name, with the button; what lies beside the model's file or in its folder is there."""
    chosen = scene.diffsynth
    chosen.model = "FILE"
    chosen.look = "TEXT"
    assert needs_of(chosen).sentence == "Missing: a model, a ControlNet for Depth and Soft Edge"
    drawn = str(draw(DIFFSYNTH_PT_stylise))
    assert "Missing: a model" in drawn and "Fetch What Is Missing" in drawn
    (tmp_path / "own.safetensors").touch()
    chosen.model_file = str(tmp_path / "own.safetensors")
    assert needs_of(chosen).sentence == "Missing: a ControlNet for Depth and Soft Edge" and not needs_of(chosen).family
    (tmp_path / "controlnet_depth.safetensors").touch()
    (tmp_path / "net.safetensors").touch()
    chosen.controls.softedge.model = str(tmp_path / "net.safetensors")
    assert not needs_of(chosen).sentence
    chosen.controls.softedge.model = str(tmp_path / "gone.safetensors")
    assert needs_of(chosen).controls == ("softedge",)


def test_one_union_serves_many_kinds(scene, tmp_path):
    """But not the shuffle, for which nothing is known for XL: that is said, not fetched."""
    chosen = scene.diffsynth
    chosen.look, chosen.model, chosen.model_folder = "IMAGE", "FOLDER", str(tmp_path)
    (tmp_path / "controlnet_union").mkdir()
    needs = needs_of(chosen)
    assert needs.controls == ("shuffle",) and needs.names("sdxl") == ([], ["shuffle"])
    assert needs.names("sd15") == (["sd15-shuffle"], [])


def test_offline_is_respected(scene, monkeypatch):
    """The sentence says where it is allowed, and nothing is started."""
    assert not bpy.app.online_access
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.diffsynth.model_download(for_look=True)
    assert setup_run.current() is None


def test_what_a_look_needs_is_fetched_by_the_worker(scene, hub, worker):
    """In the worker's Python, with progress; then the shot uses it, and lacks nothing."""
    hub.token = SECRET
    names = [name for name, model in KNOWN_MODELS.items() if name in ("sd15-depth", "sd15-tile")]
    told = []
    fetched = worker.download(names, told.append, lambda: False)
    assert [event["model"] for event in fetched] == names and told[-1].factor == 1.0
    assert all(Path(event["path"]).read_bytes() == NET for event in fetched)
    chosen = scene.diffsynth
    chosen.look, chosen.model, chosen.model_file = (
        "RESTORE",
        "FILE",
        str(Path(fetched[0]["path"]).with_name("m.safetensors")),
    )
    Path(chosen.model_file).write_bytes(BASE)
    chosen.controls.tile.model = "/gone.safetensors"
    assert needs_of(chosen).controls == ("tile",)
    assert use_fetched(scene, fetched) == "Now used: tile control"
    assert chosen.controls.tile.model == fetched[1]["path"] and not chosen.controls.depth.model
    assert not needs_of(chosen).sentence


def test_the_secret_is_only_where_it_belongs(scene, hub, worker):
    """In the worker's environment: in no argument, in no error, in no setting of the shot."""
    hub.token = "another"
    with pytest.raises(SetupError, match="licence") as refused:
        worker.download(["sd15-depth"], lambda step: None, lambda: False)
    assert SECRET not in str(refused.value) and "secret" not in str(refused.value)
    # The field is drawn as dots.
    assert models_properties.DiffsynthModels.bl_rna.properties["token"].subtype == "PASSWORD"


def test_a_download_is_cancelled(scene, hub, worker):
    """Within a moment, and the next one goes on."""
    hub.cuts = [50] + [0] * 1000
    started = time.monotonic()
    with pytest.raises(SetupCancelledError, match="goes on from there"):
        worker.download(["sd15-depth"], lambda step: None, lambda: time.monotonic() - started > 3)
    assert not list(worker.folder.rglob("*.safetensors"))
    hub.cuts = []
    assert worker.download(["sd15-depth"], lambda step: None, lambda: False)


def test_a_file_of_ones_own(scene, tmp_path):
    """Imported by its path, as by dropping it: recognised, told with its hash, and used."""
    file = tmp_path / "ink.safetensors"
    file.write_bytes(LORA)
    assert bpy.ops.diffsynth.model_import(filepath=str(file)) == {"FINISHED"}
    assert not bpy.ops.diffsynth.model_import.poll()
    run = finished()
    assert not run.is_error and "SHA-256" in run.message
    target = models_properties.models_folder() / "sd15" / "ink.safetensors"
    assert target.read_bytes() == LORA and str(target) in run.message
    file.with_suffix(".ckpt").touch()
    assert bpy.ops.diffsynth.model_import(filepath=str(file.with_suffix(".ckpt"))) == {"FINISHED"}
    run = finished()
    assert run.is_error and "can run any program" in run.message


def test_a_dropped_file_is_imported(scene, tmp_path):
    """Blender asks the handler where it may be dropped, and calls its operator's invoke with the file's path."""
    handler = models_operators.DIFFSYNTH_FH_model
    assert bpy.types.FileHandler.bl_rna_get_subclass_py(handler.bl_idname) is handler
    for area, taken in (("PROPERTIES", True), ("VIEW_3D", False), ("SEQUENCE_EDITOR", False)):
        assert handler.poll_drop(SimpleNamespace(area=SimpleNamespace(type=area))) is taken
    assert not handler.poll_drop(SimpleNamespace(area=None))
    category, name = handler.bl_import_operator.split(".")
    dropped = tmp_path / "ink ü.SAFETENSORS"
    dropped.write_bytes(LORA)
    assert dropped.suffix.lower() in handler.bl_file_extensions.split(";")
    assert getattr(getattr(bpy.ops, category), name)("INVOKE_DEFAULT", filepath=str(dropped)) == {"FINISHED"}
    assert not finished().is_error
    models_run.finish()
    assert [Path(lora.path).name for lora in scene.diffsynth.loras] == [dropped.name]


def test_a_found_file_is_used_for_what_it_is(scene, tmp_path):
    """A LoRA is added once, a ControlNet goes to its control, a union to all that it knows, a model is the model."""

    def found(kind: str, control: str = "") -> dict:
        path = tmp_path / f"{kind}{control}.safetensors"
        path.touch()
        return {"kind": kind, "control": control, "path": str(path)}

    chosen = scene.diffsynth
    assert use_found(scene, found("lora")) and not use_found(scene, found("lora"))
    assert [lora.path for lora in chosen.loras] == [str(tmp_path / "lora.safetensors")]
    use_found(scene, found("controlnet", "depth"))
    assert chosen.controls.depth.model.endswith("controlnetdepth.safetensors")
    use_found(scene, found("controlnet", "union"))
    assert chosen.controls.tile.model.endswith("controlnetunion.safetensors") and not chosen.controls.shuffle.model
    use_found(scene, found("base"))
    assert chosen.model == "FILE" and chosen.model_file == str(tmp_path / "base.safetensors")
    assert use_found(scene, found("vae")) == "Now used: VAE" and chosen.vae == str(tmp_path / "vae.safetensors")
    assert use_found(scene, found("ip_adapter")) == "Now used: IP-Adapter"
    assert chosen.ip_adapter == str(tmp_path / "ip_adapter.safetensors")
    assert use_found(scene, found("image_encoder")) == ""


@pytest.fixture
def full(scene):
    """A shot whose model lies where models are fetched to, and lacks nothing."""
    chosen = scene.diffsynth
    folder = models_properties.models_folder() / "sd15"
    folder.mkdir(parents=True)
    for name in ("own", "controlnet_depth", "controlnet_normal"):
        (folder / f"{name}.safetensors").write_bytes(BASE)
    (folder / "vae_tiny").mkdir()
    chosen.model, chosen.look, chosen.model_file = "FILE", "RENDER", str(folder / "own.safetensors")
    assert not needs_of(chosen).sentence and not needs_of(chosen).advice
    return scene


def test_what_is_added_and_not_there_is_told_before_the_start(full, tmp_path):
    """LoRA, IP-Adapter and VAE by their names; a known one is fetched, for one of the artist's own a file is given."""
    chosen = full.diffsynth
    chosen.loras.add().path = "/elsewhere/sd15/lora_lcm.safetensors"
    assert needs_of(chosen).sentence == "Missing: lora_lcm.safetensors"
    assert needs_of(chosen).names("sd15") == (["sd15-lcm"], [])
    assert "Fetch What Is Missing" in str(draw(DIFFSYNTH_PT_stylise))
    fetched = str(tmp_path / "sd15" / "lora_lcm.safetensors")
    Path(fetched).parent.mkdir()
    Path(fetched).touch()
    assert use_fetched(full, [{"model": "sd15-lcm", "path": fetched}]) == "Now used: LoRA"
    assert [lora.path for lora in chosen.loras] == [fetched] and not needs_of(chosen).sentence
    chosen.loras.add().path, chosen.vae = str(tmp_path / "gone.safetensors"), str(tmp_path / "vae")
    chosen.use_reference, chosen.ip_adapter = False, str(tmp_path / "adapter")
    assert needs_of(chosen).sentence == "Missing: gone.safetensors, vae"
    drawn = str(draw(DIFFSYNTH_PT_stylise))
    assert "Missing: gone.safetensors" in drawn and "Fetch What Is Missing" not in drawn and "Import Model" in drawn
    chosen.use_reference = True
    assert needs_of(chosen).files[1] == str(tmp_path / "adapter")


def test_a_quick_decoder_is_advised(full):
    """Where one is wanted, is not there, and can be fetched beside the model; a job does without."""
    chosen = full.diffsynth
    (models_properties.models_folder() / "sd15" / "vae_tiny").rmdir()
    assert not needs_of(chosen).sentence and "quick decoder" in needs_of(chosen).advice
    assert needs_of(chosen).names("sd15") == (["sd15-tiny-vae"], [])
    drawn = str(draw(DIFFSYNTH_PT_stylise))
    assert "quick decoder" in drawn and "Fetch What Is Missing" in drawn
    for name in ("tiny_vae", "use_deflicker"):
        setattr(chosen, name, False)
        assert not needs_of(chosen).advice
        setattr(chosen, name, True)


def test_a_few_step_lora_brings_its_sampler_and_steps(full):
    """Where there is none a button gets it; once it is there, one click sets what it is made for."""
    chosen = full.diffsynth
    assert not bpy.ops.diffsynth.lora_few_steps.poll()
    assert "Get LCM, 4 to 8 steps (SD 1.5)" in str(draw(DIFFSYNTH_PT_loras))
    (file,) = KNOWN_MODELS["sd15-lcm"].files
    path = models_properties.models_folder() / file.target
    path.touch()
    use_fetched(full, [{"model": "sd15-lcm", "path": str(path)}])
    drawn = str(draw(DIFFSYNTH_PT_loras))
    assert "This LoRA is made for" in drawn and "Set Sampler and Steps" in drawn and "Get LCM" not in drawn
    assert bpy.ops.diffsynth.lora_few_steps() == {"FINISHED"}
    assert (chosen.sampler, chosen.steps) == ("LCM", 8)
    assert "This LoRA is made for" not in str(draw(DIFFSYNTH_PT_loras))


def test_an_ip_adapter_is_one_click_away(full):
    """The button is there until there is one; fetched, its file is chosen."""
    chosen = full.diffsynth
    chosen.use_reference = True
    assert "Get IP-Adapter (Stable Diffusion 1.5)" in str(draw(DIFFSYNTH_PT_reference))
    files = KNOWN_MODELS["sd15-ip-adapter"].files
    fetched = [{"model": "sd15-ip-adapter", "path": f"/models/{file.target}"} for file in files]
    assert use_fetched(full, fetched) == "Now used: IP-Adapter"
    assert chosen.ip_adapter == "/models/sd15/ip_adapter/ip-adapter_sd15.safetensors"
    assert "Get IP-Adapter" not in str(draw(DIFFSYNTH_PT_reference))


def test_the_plan_says_what_and_how_much(scene):
    """Sizes, licences and memory before anything is fetched; a look's needs are those of its column."""
    needs = needs_of_look(scene.diffsynth, ("depth", "softedge"), "sd15")
    names, lacking = needs.names("sd15")
    assert names == ["sd15", "sd15-depth", "sd15-softedge"] and not lacking
    lines = models_operators._plan_lines(names, lacking)
    assert "2.1 GB, licence CreativeML Open RAIL-M" in lines[0] and "about 3.7 GB" in lines[-1]
    assert needs.base


@pytest.fixture
def online(monkeypatch):
    """A Blender that may use the network."""
    system = bpy.context.preferences.system
    system.use_online_access = True
    yield
    system.use_online_access = False


def test_one_button_and_the_shot_lacks_nothing(scene, hub, monkeypatch, online, tmp_path):
    """The ControlNet comes from the mirror that the environment names, for the family that the model's file tells."""
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    chosen = scene.diffsynth
    chosen.model, chosen.look, chosen.model_file = "FILE", "RENDER", str(tmp_path / "own.safetensors")
    Path(chosen.model_file).write_bytes(BASE)
    assert needs_of(chosen).controls == ("depth",) and not needs_of(chosen).family
    assert bpy.ops.diffsynth.model_download() == {"FINISHED"}
    assert not bpy.ops.diffsynth.setup.poll()
    run = finished()
    models_run.finish()
    assert not run.is_error and "1 model is there" in run.message and "Now used: depth control" in run.message
    assert chosen.controls.depth.model == str(
        models_properties.models_folder() / "sd15" / "controlnet_depth.safetensors"
    )
    assert not needs_of(chosen).sentence


def test_a_model_that_is_not_the_listed_one(scene, hub, monkeypatch, online):
    """The hub's base model here is made up: refused by the hash in the table; nothing is in the folder, or chosen."""
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    scene.diffsynth.model, scene.diffsynth.look = "FILE", "RENDER"
    assert bpy.ops.diffsynth.model_download() == {"FINISHED"}
    run = finished()
    models_run.finish()
    assert run.is_error and "another file than the one that is listed" in run.message
    assert scene.diffsynth.model_file == "" and not list(models_properties.models_folder().rglob("*.safetensors"))


def test_another_programs_folder_is_looked_through_and_used(scene, tmp_path):
    """Its model where it lies; what cannot be used is listed with the reason."""
    shelf = tmp_path / "ComfyUI" / "models"
    for place, content in (
        ("checkpoints/dream.safetensors", BASE),
        ("controlnet/sd15_depth.safetensors", NET),
        ("loras/old.pt", b"x"),
        ("loras/wrong.safetensors", BASE),
    ):
        (shelf / place).parent.mkdir(parents=True, exist_ok=True)
        (shelf / place).write_bytes(content)
    assert bpy.ops.diffsynth.model_scan(directory=str(shelf)) == {"FINISHED"}
    assert "3 can be used, 1 cannot" in finished().message
    remarks = [one["remark"] for one in models_found.found]
    assert sum("can run any program" in text for text in remarks) == 1
    assert sum("lies where a LoRA belongs" in text for text in remarks) == 1
    for path in ("checkpoints/dream.safetensors", "controlnet/sd15_depth.safetensors"):
        assert bpy.ops.diffsynth.model_use(path=str(shelf / path)) == {"FINISHED"}
    chosen = scene.diffsynth
    assert chosen.model_file == str(shelf / "checkpoints/dream.safetensors") and chosen.model == "FILE"
    assert chosen.controls.depth.model == str(shelf / "controlnet/sd15_depth.safetensors")
    drawn = str(draw(Listed))
    assert "dream.safetensors: Model Stable Diffusion 1.5" in drawn and "old.pt: Unusable" in drawn


class Listed(bpy.types.Panel):
    """What was found, in a panel of its own."""

    bl_label = "Found"

    def draw(self, context) -> None:
        """The list alone."""
        draw_found(self.layout, context)
