"""`worker models ...` as a process of its own, against the hub on loopback."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from diffsynth_blender.protocol.known_models import KNOWN_MODELS, controlnet_for, needed_for
from diffsynth_blender.protocol.looks import LOOKS
from tests.models.hub_server import TestHub, serve_hub

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "hf_a_secret_that_nobody_may_see"
TINY = KNOWN_MODELS["sd15-tiny-vae"]
WEIGHTS = bytes(range(256)) * 64


@pytest.fixture
def hub():
    """The hub with the files of one model."""
    files = {f"{file.repository}/{file.name}": WEIGHTS if "safetensors" in file.name else b"{}" for file in TINY.files}
    with serve_hub(TestHub(files)) as server:
        yield server


def start(*arguments: object, **variables: str) -> subprocess.Popen:
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("HF_") and "proxy" not in key.lower()
    }
    return subprocess.Popen(
        [sys.executable, "-m", "diffsynth_blender.worker", "models", *map(str, arguments), "--json"],
        cwd=ROOT,
        env=environment | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: object, **variables: str) -> tuple[int, list[dict], str]:
    """Exit code, what was told, and everything that was said."""
    process = start(*arguments, **variables)
    out, err = process.communicate(timeout=60)
    return process.returncode, [json.loads(line) for line in out.splitlines()], out + err


def test_a_model_is_downloaded(hub, tmp_path):
    """Every file under the name that the table says, told with how it was verified; then the list has it."""
    folder = tmp_path / "Modelle für alle"
    code, told, _ = run("download", TINY.name, "--folder", folder, "--endpoint", hub.endpoint)
    assert code == 0 and told[-1] == {"type": "done"}
    assert [event["verified"] for event in told if event["type"] == "fetched"] == ["hub", "hub"]
    assert (folder / TINY.files[0].target).read_bytes() == WEIGHTS
    assert any(event["type"] == "progress" for event in told)
    _, told, _ = run("list", "--folder", folder)
    assert [event["name"] for event in told if event.get("is_there")] == [TINY.name]


def test_a_token_is_nowhere_to_be_read(hub, tmp_path):
    """It works by the environment, and is in no word that is said, in no file that is written, on no command line."""
    hub.token = TOKEN
    folder = tmp_path / "models"
    code, told, said = run("download", TINY.name, "--folder", folder, "--endpoint", hub.endpoint)
    assert code == 3 and "licence" in told[-1]["message"] and "token" in told[-1]["message"]
    code, _, said_too = run("download", TINY.name, "--folder", folder, "--endpoint", hub.endpoint, HF_TOKEN=TOKEN)
    assert code == 0 and TOKEN not in said + said_too and "secret" not in said + said_too
    assert all(TOKEN.encode() not in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_fails_is_one_sentence(hub, tmp_path):
    """A name nobody knows, a mirror without the file, no network allowed."""
    for arguments, variables, code, words in (
        (["none"], {}, 2, "no model 'none' is known; choose one of sd15"),
        (["sd15-canny"], {}, 3, "the hub has no such file"),
        ([TINY.name], {"HF_HUB_OFFLINE": "1"}, 3, "HF_HUB_OFFLINE forbids the network"),
    ):
        found, told, _ = run("download", *arguments, "--folder", tmp_path, "--endpoint", hub.endpoint, **variables)
        assert found == code and words in told[-1]["message"] and "\n" not in told[-1]["message"]


def test_cancelled_and_gone_on_with(hub, tmp_path):
    """Ended in the middle, or killed: no file under its name; the same command goes on where it was."""
    hub.cuts = [10_000] + [0] * 100
    process = start("download", TINY.name, "--folder", tmp_path, "--endpoint", hub.endpoint)
    deadline = time.monotonic() + 30
    while not list(tmp_path.rglob("*.part")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130 and json.loads(out.splitlines()[-1])["kind"] == "cancelled"
    target = tmp_path / TINY.files[0].target
    assert not target.exists()
    hub.cuts = []
    hub.requests.clear()
    assert run("download", TINY.name, "--folder", tmp_path, "--endpoint", hub.endpoint)[0] == 0
    assert hub.ranges_asked()[0] == "bytes=10000-" and target.read_bytes() == WEIGHTS


def test_a_file_is_imported(tmp_path):
    """It is looked at, hashed, and stands below its family; twice does no harm, another file of its name does."""
    lora = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"
    save_file({lora: torch.zeros(4, 768)}, file := tmp_path / "ink.safetensors")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    folder = tmp_path / "models"
    for _ in range(2):
        code, told, _ = run("import", file, "--folder", folder, "--sha256", digest.upper())
        (found,) = [event for event in told if event["type"] == "found"]
        assert code == 0 and found["sha256"] == digest and (found["kind"], found["family"]) == ("lora", "sd15")
        assert found["path"] == str(folder / "sd15" / "ink.safetensors") and Path(found["path"]).is_file()
    code, told, _ = run("import", file, "--folder", folder, "--sha256", "0" * 64)
    assert code == 3 and "its hash is" in told[-1]["message"]
    (tmp_path / "other").mkdir()
    save_file({lora: torch.ones(4, 768)}, other := tmp_path / "other" / "ink.safetensors")
    code, told, _ = run("import", other, "--folder", folder)
    assert code == 3 and "another file has this name" in told[-1]["message"]
    (tmp_path / "a.ckpt").touch()
    code, told, _ = run("import", tmp_path / "a.ckpt", "--folder", folder)
    assert code == 3 and "can run any program" in told[-1]["message"]
    assert not list(folder.rglob("*.part"))


def test_a_folder_is_scanned_without_torch(tmp_path):
    """What is there is told a line each; it takes a second, not the time to load the libraries."""
    save_file({"weight": torch.zeros(2)}, tmp_path / "e.safetensors")
    code, told, _ = run("scan", tmp_path)
    assert code == 0 and told[0]["kind"] == "" and "no U-Net" in told[0]["remark"]
    code = "import sys, diffsynth_blender.models.scan, diffsynth_blender.models.hub; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_table_holds_together():
    """Names and targets are unique and stay in the folder; what is loaded is no pickle; hashes are hashes."""
    files = [file for model in KNOWN_MODELS.values() for file in model.files]
    assert len({file.target for file in files}) == len(files)
    for name, model in KNOWN_MODELS.items():
        assert model.name == name and model.licence and model.label
        for file in model.files:
            assert not Path(file.target).is_absolute() and ".." not in file.target
            assert file.target.startswith(f"{model.family}/")
            assert file.name.endswith((".safetensors", "config.json"))
            assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32
            assert file.revision is None or len(bytes.fromhex(file.revision)) == 20


def test_every_look_can_be_fetched():
    """SD 1.5 has a ControlNet for every control of every look; what XL lacks is the shuffle alone."""
    for look in LOOKS.values():
        kinds = [control.kind for control in look.settings.controls]
        assert all(controlnet_for("sd15", kind) for kind in kinds)
        assert [kind for kind in kinds if not controlnet_for("sdxl", kind)] in ([], ["shuffle"])
        assert needed_for("sd15", kinds)[0].kind == "base"
    assert len(needed_for("sdxl", ["depth", "tile"])) == 2  # one union for both
