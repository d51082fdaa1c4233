"""The whole environment of the worker, set up for real (`make test-install`): gigabytes, so not part of `make test`."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from diffsynth_blender.client.environment import worker_environment
from diffsynth_blender.environment.lock import PYTHON
from tests.setup.conftest import from_index, python_says

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


def setup(command, folder, *arguments, alone=(), **options):
    """Run the command line; `alone` puts another command before it."""
    return subprocess.run(
        [*alone, sys.executable, "-m", "diffsynth_blender.environment", command, "--folder", str(folder),
         "--backend", "cpu", "--python", sys.executable, *map(str, arguments)],
        env=worker_environment(ROOT), capture_output=True, text=True, timeout=1500, check=False, **options,
    )  # fmt: skip


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


@pytest.fixture(scope="module")
def shared():
    """A folder that everybody can read and nobody but root can write: Python, the extension, and what a test adds."""
    folder = Path(tempfile.mkdtemp(prefix="diffsynth shared "))
    folder.chmod(0o755)
    base = Path(sys.base_prefix)
    left_out = shutil.ignore_patterns("site-packages", "test", "__pycache__", "config-*", "*.a")
    shutil.copytree(base / "lib", folder / "python" / "lib", ignore=left_out, symlinks=True)
    (folder / "python" / "bin").mkdir()
    shutil.copy2(Path(sys.executable).resolve(), folder / "python" / "bin" / f"python{PYTHON}")
    for name in ("diffsynth_blender", "wheels"):
        shutil.copytree(ROOT / name, folder / "extension" / name, ignore=shutil.ignore_patterns("__pycache__", "model"))
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    yield folder
    shutil.rmtree(folder)


def as_nobody(shared, home, command, folder, *arguments):
    """Run the command line as a user without rights, whose home is `home`."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(shared / "extension")}
    python = str(shared / "python" / "bin" / f"python{PYTHON}")
    return subprocess.run(
        [python, "-m", "diffsynth_blender.environment", command, "--folder", str(folder), "--backend", "cpu",
         "--python", python, *map(str, arguments)],
        env=environment, cwd="/", user=NOBODY, group=NOBODY, extra_groups=[],
        capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@needs_root
def test_without_administrator_rights(shared, wheelhouse):
    """Set up, break, repair and remove, as a user who can write the own home alone; nothing lies anywhere else."""
    home = shared / "home of a user"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    wheels = shared / "wheelhouse"
    shutil.copytree(wheelhouse, wheels, copy_function=os.link)
    wheels.chmod(0o755)
    folder = home / "worker"
    done = as_nobody(shared, home, "install", folder, "--wheelhouse", wheels)
    assert done.returncode == 0, done.stderr
    assert as_nobody(shared, home, "verify", folder).stdout == "ready\n"
    assert python_says(folder / "venv" / "bin" / "python", "import torch; print(torch.__version__)", user=NOBODY) >= "2"
    next((folder / "venv").glob("lib/*/site-packages/torch/version.py")).unlink()
    done = as_nobody(shared, home, "repair", folder, "--wheelhouse", wheels)
    assert done.returncode == 0 and "repaired torch" in done.stdout, done.stderr
    assert {path.name for path in home.iterdir()} == {"worker"}
    found = subprocess.run(
        ["find", "/tmp", "/var/tmp", "-user", str(NOBODY), "-not", "-path", f"{home}*"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not found.stdout
    assert as_nobody(shared, home, "remove", folder).returncode == 0 and not list(home.iterdir())


@needs_root
def test_a_home_that_cannot_be_written(shared):
    """A home that belongs to somebody else is named in one sentence, and nothing is left in it."""
    home = shared / "locked home"
    home.mkdir(mode=0o755)
    done = as_nobody(shared, home, "install", home / "worker", "--wheelhouse", shared)
    assert done.returncode == 3 and done.stderr.count("\n") == 1
    assert "cannot be written to: Permission denied; choose another folder" in done.stderr
    assert not list(home.iterdir())
