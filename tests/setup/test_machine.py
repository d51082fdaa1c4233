"""What is found on the machine, and what the locks say."""

import os
import re
import stat

import pytest

from diffsynth_blender.environment import lock as locks
from diffsynth_blender.environment.backends import BACKENDS, find_backend
from diffsynth_blender.environment.errors import SetupError
from diffsynth_blender.environment.lock import LOCKS, read_lock
from diffsynth_blender.environment.lock_targets import TARGETS
from diffsynth_blender.environment.plan import make_plan
from diffsynth_blender.environment.source import Source


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Put a program on the machine that prints some text."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def put(name, text, code=0, before=":"):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{before}\ncat <<'END'\n{text}\nEND\nexit {code}\n", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IEXEC)
        find_backend.cache_clear()

    yield put
    find_backend.cache_clear()


def nvidia_smi(tool, card, capability):
    """A tool that answers both questions about the card."""
    tool("nvidia-smi", card, before=f'case "$1" in *compute_cap*) echo {capability}; exit;; esac')


def test_nvidia(tool):
    """A card with a driver that is new enough is used; an old driver and an old card are named, with what to do."""
    nvidia_smi(tool, "NVIDIA RTX A4000, 580.65.06, 16376 MiB", "8.6")
    assert find_backend().name == "cuda" and "RTX A4000" in find_backend().found
    nvidia_smi(tool, "NVIDIA RTX A4000, 535.12, 16376 MiB", "8.6")
    assert find_backend().name == "cpu" and "update it to 580" in find_backend().found
    nvidia_smi(tool, "NVIDIA GeForce GTX 1080, 580.65.06, 8192 MiB", "6.1")
    assert find_backend().name == "cpu" and "the card is older than CUDA 13" in find_backend().found


def test_amd_and_nothing(tool):
    """An AMD card is found through ROCm; a tool that fails has found nothing."""
    tool("rocminfo", "  Marketing Name:          AMD Radeon RX 7900 XTX")
    assert find_backend().name == "rocm"
    tool("rocminfo", "  Marketing Name:          AMD Ryzen 9 7950X")
    tool("nvidia-smi", "NVIDIA-SMI has failed", code=9)
    assert find_backend().name == "cpu"


@pytest.mark.parametrize("path", sorted(LOCKS.glob("*.txt")), ids=lambda path: path.stem)
def test_locks_are_whole(path):
    """Each package is pinned to one version with hashes, and named once; no address of a server is in the file."""
    text = path.read_text(encoding="utf-8")
    entries = [line for line in text.splitlines() if re.match(r"^[A-Za-z0-9]", line)]
    assert len(entries) > 50 and "://" not in text
    assert all(re.match(r"^\S+==\S+", entry) and entry.endswith("\\") for entry in entries)
    names = [entry.split("==")[0] for entry in entries]
    assert {name for name in names if names.count(name) > 1} <= {"torch"}
    assert text.count("--hash=sha256:") > len(entries)


def test_locks_agree_with_the_workers_pins():
    """What is tested is what is installed: the versions of worker/requirements.txt."""
    worker = LOCKS.parents[1] / "worker"
    for name in ("requirements.txt", "requirements-alone.txt"):
        for line in (worker / name).read_text(encoding="utf-8").splitlines():
            if "==" in line:
                package, version = line.split("==")
                found = read_lock("cpu", "linux").versions[locks.normalised(package)]
                assert found.split("+")[0] == version, package


def test_what_was_not_locked_is_refused(tmp_path):
    """A backend without a lock is refused with what else to do."""
    for backend, system in (("macos", "linux"), ("rocm", "windows"), ("cuda", "macos")):
        with pytest.raises(SetupError, match=f"no list of packages for {backend} on {system}.*choose the backend cpu"):
            read_lock(backend, system)
    with pytest.raises(SetupError, match="one of cpu, cuda"):
        make_plan(tmp_path, backend="tpu")
    assert {path.stem for path in LOCKS.glob("*.txt")} == set(BACKENDS)


@pytest.mark.parametrize(
    ("backend", "system", "build"),
    [
        ("cpu", "linux", "cpu"),
        ("cpu", "windows", ""),
        ("cuda", "linux", ""),
        ("cuda", "windows", "cu130"),
        ("rocm", "linux", "rocm7.2"),
        ("macos", "macos", ""),
    ],
)
def test_where_torch_comes_from(backend, system, build):
    """Torch's own index is asked where the package index has another build, unless a folder of wheels is given."""
    lock = read_lock(backend, system)
    assert lock.torch_build == build and lock.download_bytes > 250_000_000
    arguments = Source().arguments(lock.torch_build)
    assert arguments[-2:] == ["--torch-backend", build] if build else "--torch-backend" not in arguments
    assert "--torch-backend" not in Source(wheelhouse=LOCKS).arguments(build)


def test_a_build_that_is_written_down_is_the_locked_one():
    """The lock of its platform names that version with that one hash."""
    for backend, targets in TARGETS.items():
        for build in (target.build for target in targets if target.build):
            text = (LOCKS / f"{backend}.txt").read_text(encoding="utf-8")
            entry = text.split(f"\ntorch=={build.version}")[1].split("\n", 2)[1]
            assert entry == f"    --hash=sha256:{build.sha256}"


def test_the_plan_says_what_where_and_how_much(tmp_path):
    """Everything an artist agrees to is in it."""
    text = "\n".join(make_plan(tmp_path / "worker", backend="cpu", source=Source(index_url="mirror")).lines())
    for words in ("cpu", "packages", "mirror", str(tmp_path / "worker"), "528 MB", "free"):
        assert words.lower() in text.lower()
