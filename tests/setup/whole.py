"""The whole environment of the worker, set up for real (`make test-install`): gigabytes, so not part of `make test`."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from diffsynth_blender.client.process import worker_environment
from tests.setup.conftest import folder_of_wheels

ROOT = Path(__file__).resolve().parents[2]


def setup(command, folder, *arguments, alone=(), **options):
    """Run the command line; `alone` puts another command before it."""
    return subprocess.run(
        [*alone, sys.executable, "-m", "diffsynth_blender.environment", command, "--folder", str(folder),
         "--backend", "cpu", "--python", sys.executable, *map(str, arguments)],
        env=worker_environment(ROOT), capture_output=True, text=True, timeout=1500, check=False, **options,
    )  # fmt: skip


def from_index():
    """Arguments for the machine's own package index; torch's CPU build comes from where pip has been told."""
    folder = folder_of_wheels()
    return ("--find-links", folder) if folder else ()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An environment on a path with a space and an umlaut."""
    folder = tmp_path_factory.mktemp("Blender für alle") / "worker"
    done = setup("install", folder, *from_index())
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory):
    """Every wheel of the lock, fetched with pip on a machine that has a network."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    lock = ROOT / "diffsynth_blender" / "environment" / "locks" / "cpu.txt"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*pip, "--requirement", str(lock), "--dest", str(folder)], check=True)
    return folder


def test_the_worker_checks_itself(folder):
    """A real job of the demo model runs in the environment."""
    done = subprocess.run(
        [str(folder / "venv" / "bin" / "python"), "-m", "diffsynth_blender.worker", "check"],
        env=worker_environment(ROOT), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_verify_and_repair_torch(folder):
    """A file of torch is deleted and another changed; verify names it, repair mends it."""
    assert setup("verify", folder).returncode == 0
    torch = next((folder / "venv").glob("lib/*/site-packages/torch"))
    (torch / "version.py").unlink()
    done = setup("verify", folder)
    assert done.returncode == 3 and "torch/version.py is missing" in done.stdout
    done = setup("repair", folder, *from_index())
    assert done.returncode == 0 and "repaired torch" in done.stdout, done.stderr
    assert setup("verify", folder).returncode == 0


def test_from_a_wheelhouse_without_network(wheelhouse, tmp_path):
    """Nothing but the loopback device is there, and everything is installed."""
    folder = tmp_path / "worker"
    done = setup("install", folder, "--wheelhouse", wheelhouse, alone=("unshare", "--map-root-user", "--net"))
    assert done.returncode == 0, done.stderr
    assert setup("verify", folder).returncode == 0


def test_a_wheelhouse_that_lacks_a_wheel(wheelhouse, tmp_path):
    """The package is named, with what to do; once the wheel is there the set-up goes on."""
    other = tmp_path / "wheelhouse"
    shutil.copytree(wheelhouse, other)
    missing = next(other.glob("einops-*.whl"))
    missing.unlink()
    done = setup("install", tmp_path / "worker", "--wheelhouse", other)
    assert done.returncode == 3 and "einops" in done.stderr and "missing in the wheelhouse" in done.stderr
    shutil.copy(wheelhouse / missing.name, other)
    assert setup("install", tmp_path / "worker", "--wheelhouse", other).returncode == 0


def test_a_machine_without_network(tmp_path):
    """One sentence, with the remedy, and exit code 3."""
    done = setup("install", tmp_path / "worker", alone=("unshare", "--map-root-user", "--net"))
    assert done.returncode == 3 and "the package index was not reached" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("mount", "words"), [("-t tmpfs -o size=200m tmpfs", "make room"), ("-t tmpfs -o ro tmpfs", "another folder")]
)
def test_a_disk_that_is_too_small_or_read_only(wheelhouse, tmp_path, mount, words):
    """The disk fills in the middle, or takes nothing at all."""
    folder = tmp_path / "disk"
    folder.mkdir()
    # The plan would refuse a disk this small: it is told that less is needed.
    code = (
        "import sys; from dataclasses import replace; from pathlib import Path;"
        "from diffsynth_blender.environment.install import install;"
        "from diffsynth_blender.environment.plan import make_plan;"
        "from diffsynth_blender.environment.source import Source;"
        "plan = make_plan(Path(sys.argv[1]), backend='cpu', base_python=Path(sys.executable),"
        " source=Source(wheelhouse=Path(sys.argv[2])));"
        "install(replace(plan, lock=replace(plan.lock, download_bytes=1)))"
    )
    script = f'mount {mount} "$1" && "$2" -c "$3" "$1/worker" "$4"'
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(folder), sys.executable, code,
         str(wheelhouse)],
        env=worker_environment(ROOT), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 1 and words in done.stderr.splitlines()[-1], done.stderr
