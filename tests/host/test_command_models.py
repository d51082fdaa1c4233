"""Models from a command line: the same worker, folder and hub as behind the buttons; lines for programs, exit codes."""

import json

import bpy
import pytest

from diffsynth_blender.host import addon
from diffsynth_blender.host.command import command
from diffsynth_blender.host.setup import models_properties
from diffsynth_blender.protocol.known_models import KNOWN_MODELS
from tests.host.test_models import LORA, NET, SECRET
from tests.models.hub_server import TestHub, serve_hub


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder of models, where the preferences leave it to the extension."""
    monkeypatch.setattr(models_properties, "user_folder", lambda: tmp_path / "Künstlerin")
    addon.register()
    yield tmp_path / "Künstlerin" / "models"
    addon.unregister()


@pytest.fixture
def hub(monkeypatch):
    """A hub with one ControlNet, for who has the token, and a Blender that may use the network."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(bpy.context.preferences.system, "use_online_access", True)
    (file,) = KNOWN_MODELS["sd15-depth"].files
    with serve_hub(TestHub(token=SECRET)) as server:
        server.files[f"{file.repository}/{file.name}"] = NET
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.setenv("HF_TOKEN", SECRET)
        yield server


def run(capfd, *words):
    """Exit code, lines of stdout as objects, and what people read."""
    capfd.readouterr()
    code = command.run(["models", *map(str, words), "--json"])
    out, err = capfd.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


def test_what_is_known_and_there(folder, capfd):
    """Every model of the table, once; it is there when all of its files are."""
    (file,) = KNOWN_MODELS["sd15-depth"].files
    (folder / file.target).parent.mkdir(parents=True)
    (folder / file.target).write_bytes(NET)
    code, lines, err = run(capfd, "list")
    assert code == 0 and [line["name"] for line in lines[:-1]] == list(KNOWN_MODELS)
    assert [line["name"] for line in lines[:-1] if line["is_there"]] == ["sd15-depth"]
    assert lines[-1] == {"type": "JobDone", "job_id": "", "job_dir": str(folder)}
    assert "+ sd15-depth" in err and "- sdxl " in err


def test_download(folder, hub, capfd):
    """With progress, to where the preferences say, or where the line does; verified by what the hub tells."""
    code, lines, err = run(capfd, "download", "sd15-depth")
    assert code == 0, err
    (fetched,) = [line for line in lines if line["type"] == "ModelFetched"]
    assert fetched["verified"] == "hub" and fetched["path"].startswith(str(folder))
    assert [line["step"] for line in lines if line["type"] == "JobProgress"][-1] == 100
    other = folder.parent / "other"
    assert run(capfd, "download", "sd15-depth", "--folder", other)[0] == 0
    assert (other / "sd15" / "controlnet_depth.safetensors").read_bytes() == NET


def test_scan_and_import(folder, tmp_path, capfd):
    """What a file is, what is wrong with it, and its hash once it is imported."""
    file = tmp_path / "ink.safetensors"
    file.write_bytes(LORA)
    file.with_suffix(".ckpt").write_bytes(b"x")
    code, lines, _ = run(capfd, "scan", tmp_path)
    assert code == 0 and [line["kind"] for line in lines[:-1]] == ["", "lora"]
    assert "can run any program" in lines[0]["remark"]
    code, lines, err = run(capfd, "import", file)
    (found,) = [line for line in lines if line["type"] == "ModelFound"]
    assert code == 0 and found["path"] == str(folder / "sd15" / "ink.safetensors") and len(found["sha256"]) == 64
    assert found["sha256"] in err


@pytest.mark.parametrize(
    ("words", "code", "kind", "sentence"),
    [
        (["list", "sd15"], 2, "bad_job", "models list takes nothing"),
        (["download"], 2, "bad_job", "takes names of models"),
        (["download", "sd99"], 2, "bad_job", "no model 'sd99' is known; choose of sd15, sdxl"),
        (["download", "sd15-tile"], 3, "model_missing", "sd15"),
        (["scan", "nowhere"], 3, "model_missing", "no such folder"),
        (["import", "nothing.safetensors"], 3, "model_missing", "no such file; choose a .safetensors file"),
        (["scan", ".", "--worker-python", "nowhere"], 3, "device_missing", "no such interpreter"),
        (["frobnicate"], 2, "bad_job", "invalid choice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_failures(hub, capfd, words, code, kind, sentence):
    """The kind, its exit code, and the one sentence on both channels; no secret in either."""
    found, lines, err = run(capfd, *words)
    assert (found, lines[-1]["type"], lines[-1]["kind"]) == (code, "JobFailed", kind)
    assert sentence in lines[-1]["message"] and f"diffsynth: error: {lines[-1]['message']}\n" in err
    assert SECRET not in err


def test_offline_is_respected(capfd):
    """Nothing is fetched where Blender may not use the network; the sentence says where that is allowed."""
    code, lines, _ = run(capfd, "download", "sd15-depth")
    assert code == 3 and "Allow Online Access" in lines[-1]["message"]
