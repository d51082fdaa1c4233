"""The extension validates, builds, installs and enables with Blender's own tool, and leaves nothing behind."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import bpy
import pytest

from diffsynth_blender.environment.bundled_uv import UV_WHEELS, fetch_wheels

REPOSITORY = Path(__file__).resolve().parents[2]
ADDON = "bl_ext.user_default.diffsynth_blender"

IN_BLENDER = f"""
import os
import pathlib
import sys
import bpy
import addon_utils  # is found once bpy is imported

outcome = bpy.ops.extensions.package_install_files(filepath=sys.argv[1], repo="user_default", enable_on_install=True)
assert outcome == {{"FINISHED"}}, outcome
assert "{ADDON}" in bpy.context.preferences.addons
preferences = bpy.context.preferences.addons["{ADDON}"].preferences
preferences.worker_python = sys.executable
import {ADDON}.diffsynth_blender.host.preferences as ours
assert str(ours.worker_python()) == sys.executable
assert bpy.context.scene.diffsynth.seed == 0
bpy.context.scene.diffsynth.prompt = "clay"
bpy.context.scene.diffsynth.output_folder = sys.argv[2]
assert bpy.ops.diffsynth.stylise.poll()
assert hasattr(bpy.types, "DIFFSYNTH_PT_stylise")
assert "torch" not in sys.modules
from {ADDON}.diffsynth_blender.environment.bundled_uv import unpack_uv
unpack_uv(pathlib.Path(sys.argv[1]).with_name("uv"))

addon_utils.disable("{ADDON}")
assert not hasattr(bpy.types.Scene, "diffsynth")
assert not hasattr(bpy.types, "DIFFSYNTH_PT_stylise")
addon_utils.enable("{ADDON}")
assert bpy.context.scene.diffsynth.prompt == "clay"
print("ENABLED", flush=True)
if bpy.app.version < (4, 5, 0):
    os._exit(0)  # this wheel crashes at its end after any property with a callback was registered, even if it is gone
"""


def run_tool(*arguments: str) -> str:
    """Run the packaging tool that Blender itself runs; it is inside every bpy wheel."""
    tool = next(Path(bpy.utils.script_paths()[0]).rglob("bl_pkg/cli/blender_ext.py"))
    done = subprocess.run(
        [sys.executable, str(tool), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """The extension, built for Linux."""
    fetch_wheels()
    folder = tmp_path_factory.mktemp("package")
    run_tool("validate", ".")
    run_tool("build", "--source-dir", ".", "--output-dir", str(folder), "--split-platforms")
    assert len(list(folder.iterdir())) == len(UV_WHEELS)
    (path,) = folder.glob("*-linux_x64.zip")
    return path


def test_package_is_valid(package):
    """The tool accepts what it built."""
    run_tool("validate", str(package))


def test_package_holds_what_is_needed_and_nothing_else(package):
    """Everything either process imports at run time; no tests, tools, caches or training code."""
    names = zipfile.ZipFile(package).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops <= {"__init__.py", "blender_manifest.toml", "diffsynth_blender", "LICENSE", "README.md", "wheels"}
    assert [name for name in names if name.startswith("wheels/")] == [
        f"wheels/{UV_WHEELS['Linux', 'x86_64'].path.name}"
    ]
    preset = "host/shot/shipped/presets/diffsynth/Gold.py"
    for needed in ("host/addon.py", "protocol/job.py", "client/session.py", "worker/__main__.py", preset):
        assert f"diffsynth_blender/{needed}" in names
    refused = ("__pycache__", "/.", "demo/train", "demo/dataset", "demo/paint", ".pyc")
    assert not [name for name in names if any(part in name for part in refused)]
    assert package.stat().st_size < 60e6  # the demo model is allowed 30 MB


def test_installs_enables_disables(package, tmp_path):
    """In a fresh Blender with fresh user folders: the add-on works under the name that extensions have."""
    user = tmp_path / "user"
    user.mkdir()  # must exist before Blender starts, or the first install is not found
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("DIFFSYNTH", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-c", IN_BLENDER, str(package), str(tmp_path / "job")],
        env={**environment, "BLENDER_USER_RESOURCES": str(user)},
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ENABLED" in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr


def test_entry_is_harmless_outside_blender():
    """Collected by pytest or imported by accident, the root file does nothing."""
    code = "import runpy; runpy.run_path('__init__.py')"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=REPOSITORY)
