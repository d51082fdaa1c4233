"""Downloads, from a hub on loopback that does everything wrong that a network can do."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub.utils import close_session

from diffsynth_blender.models.errors import CheckpointError, DownloadError
from diffsynth_blender.models.hub import fetch
from diffsynth_blender.models.hub_content import Hub, HubFile
from diffsynth_blender.models.hub_patience import ATTEMPTS
from tests.models.hub_server import TestHub, serve_hub

LARGE = bytes(range(256)) * 4096
CONFIG = b'{"_class_name": "AutoencoderTiny"}'
WEIGHTS = HubFile("owner/model", "unet/model.safetensors")


@pytest.fixture(autouse=True)
def own_settings(monkeypatch):
    """Nothing of this machine's own settings counts, nor what other tests' models were loaded with."""
    for name in ("HF_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.fixture
def hub():
    """The server."""
    close_session()
    with serve_hub(TestHub({"owner/model/unet/model.safetensors": LARGE, "owner/model/config.json": CONFIG})) as server:
        yield server
    close_session()


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "Modelle für alle" / "model.safetensors"


def load(hub: TestHub, target: Path, file: HubFile = WEIGHTS, *, token: str | None = None, report=None) -> str:
    report = report or (lambda done, total: None)
    return fetch(file, target, Hub(hub.endpoint, token, first_wait=0.01), report=report)


def names(target: Path) -> list[str]:
    """What lies in the folder."""
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.is_dir() else []


def test_a_file_arrives_through_the_redirection(hub, target):
    """Verified by the hash that the hub tells, reported byte for byte, and nothing else is left in the folder."""
    told = []
    assert load(hub, target, report=lambda done, total: told.append((done, total))) == "hub"
    assert target.read_bytes() == LARGE
    assert told[-1] == (len(LARGE), len(LARGE)) and told == sorted(told)
    assert names(target) == [target.name]


def test_what_is_there_is_not_fetched_again(hub, target):
    """Nobody is asked; a file of another size than the listed one is fetched anew."""
    load(hub, target)
    hub.requests.clear()
    assert load(hub, target) == "present" and not hub.requests
    target.write_bytes(b"short")
    assert load(hub, target, replace(WEIGHTS, size=len(LARGE))) == "hub" and target.read_bytes() == LARGE


def test_small_files_are_verified_by_gits_name(hub, target):
    """What the hub keeps in git has a SHA-1 as its tag."""
    config = HubFile("owner/model", "config.json")
    assert load(hub, target.with_name("config.json"), config) == "hub"
    assert target.with_name("config.json").read_bytes() == CONFIG


def test_a_listed_hash_counts_most(hub, target):
    """The right one verifies; with another one nothing is fetched, for the hub tells that its file is another."""
    listed = replace(WEIGHTS, sha256=hashlib.sha256(LARGE).hexdigest(), size=len(LARGE))
    assert load(hub, target, listed) == "listed"
    target.unlink()
    hub.requests.clear()
    with pytest.raises(DownloadError, match="another file than the one that is listed"):
        load(hub, target, replace(listed, sha256="0" * 64))
    assert not hub.ranges_asked() and names(target) == []


def test_a_server_that_tells_no_hash(hub, target):
    """A mirror whose tags are its own: the size is all there is, and the caller learns that."""
    hub.linked_tag = "W/mirrors-own"
    assert load(hub, target) == "size"
    target.unlink()
    with pytest.raises(DownloadError, match="hash"):
        load(hub, target, replace(WEIGHTS, sha256="0" * 64))
    assert names(target) == []


def test_other_bytes_than_promised(hub, target):
    """Refused by the hash, and nothing is kept: going on from there could never succeed."""
    hub.corrupt = True
    with pytest.raises(DownloadError, match=r"owner/model/unet.* hash .*nothing was kept"):
        load(hub, target)
    assert names(target) == []


@pytest.mark.parametrize("cuts", [[300_000], [300_000, 0, 1, 400_000]])
def test_a_cut_connection_is_gone_on_with(hub, target, cuts):
    """Each further request asks for what is missing."""
    hub.cuts = list(cuts)
    assert load(hub, target) == "hub"
    assert target.read_bytes() == LARGE
    assert hub.ranges_asked()[:2] == ["", "bytes=300000-"] and len(hub.ranges_asked()) == len(cuts) + 1


def test_another_process_goes_on_where_one_gave_up(hub, target):
    """The bytes stay beside the file, which is not there; the next attempt asks for the rest alone."""
    hub.cuts = [300_000] + [0] * ATTEMPTS
    with pytest.raises(DownloadError, match="what has come is kept"):
        load(hub, target)
    assert not target.exists() and len(names(target)) == 1
    hub.cuts = []
    hub.requests.clear()
    load(hub, target)
    assert hub.ranges_asked() == ["bytes=300000-"] and target.read_bytes() == LARGE
    assert names(target) == [target.name]


def test_a_server_without_ranges_sends_all_again(hub, target):
    """Nothing is appended to what was there."""
    hub.ranges, hub.cuts = False, [300_000]
    load(hub, target)
    assert target.read_bytes() == LARGE


def test_a_new_version_on_the_hub_does_not_meet_the_old_one(hub, target):
    """Bytes of the version before are thrown away."""
    hub.cuts = [300_000] + [0] * ATTEMPTS
    with pytest.raises(DownloadError):
        load(hub, target)
    hub.cuts = []
    hub.files["owner/model/unet/model.safetensors"] = LARGE[::-1]
    hub.requests.clear()
    load(hub, target)
    assert target.read_bytes() == LARGE[::-1] and hub.ranges_asked() == [""]
    assert names(target) == [target.name]


def test_a_busy_server_is_asked_again(hub, target):
    """503 passes; where it does not, the sentence says so."""
    hub.busy = ATTEMPTS - 1
    assert load(hub, target) == "hub"
    target.unlink()
    hub.busy = 100
    with pytest.raises(DownloadError, match="answers 503; try again later"):
        load(hub, target)
    assert not target.exists()


def test_a_licence_that_was_not_accepted(hub, target):
    """401 is asked once and names the remedy; with the token it works, and the store never sees that."""
    hub.token = "hf_secret"
    with pytest.raises(DownloadError, match="licence") as refused:
        load(hub, target)
    assert "hf_" not in str(refused.value) and len(hub.requests) == 1
    assert load(hub, target, token="hf_secret") == "hub"
    assert hub.tokens["hub"] and not hub.tokens["store"]


def test_what_is_not_there(hub, target):
    """404 is asked once."""
    with pytest.raises(DownloadError, match=r"owner/model/none.safetensors: the hub has no such file"):
        load(hub, target, HubFile("owner/model", "none.safetensors"))
    assert len(hub.requests) == 1 and names(target) == []


def test_no_server_at_all(target):
    """The sentence names network, proxy and mirror."""
    close_session()
    with pytest.raises(DownloadError, match="network, proxy and mirror"):
        fetch(WEIGHTS, target, Hub("http://127.0.0.1:1", first_wait=0.01))
    assert names(target) == []


def test_through_a_proxy(hub, target, monkeypatch):
    """Every request goes to the proxy that the environment names."""
    monkeypatch.setenv("HTTP_PROXY", hub.endpoint)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    close_session()
    assert fetch(WEIGHTS, target, Hub("http://hub.invalid", first_wait=0.01)) == "hub"
    assert hub.proxied == len(hub.requests) > 0


def test_offline(hub, target, monkeypatch):
    """Where the environment forbids the network nobody is asked."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        load(hub, target)
    assert not hub.requests


def test_pickles_are_not_even_asked_for(hub, target):
    """The reason is in the message."""
    with pytest.raises(CheckpointError, match="can run any program"):
        load(hub, target, HubFile("owner/model", "model.ckpt"))
    assert not hub.requests


def test_a_full_disk(hub, target, monkeypatch):
    """Told before a byte comes."""
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(DownloadError, match="GB are free; make room"):
        load(hub, target)
    assert not hub.ranges_asked()
