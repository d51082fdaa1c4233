import hashlib
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from diffsynth_blender.client.environment import worker_environment
from diffsynth_blender.environment.bundled_uv import UV_WHEELS
from diffsynth_blender.environment.errors import SetupCancelledError, SetupError
from diffsynth_blender.environment.install import install, repair
from diffsynth_blender.environment.layout import Layout
from diffsynth_blender.environment.lock import PYTHON
from diffsynth_blender.environment.source import Source
from diffsynth_blender.environment.uv_run import explain
from diffsynth_blender.environment.verify import find_problems
from tests.setup.conftest import SMALL, pins, python_says


def installed_versions(layout):
    code = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()))"
    return set(python_says(layout.python, code).split())


@pytest.fixture
def ready(plan):
    """A finished environment."""
    install(plan)
    return plan


def test_what_is_locked_is_installed(ready):
    """Exactly the locked packages, in an interpreter of the locked version that is ready by its marker."""
    assert ready.layout.state(ready.lock) == "ready"
    assert installed_versions(ready.layout) == {f"{name}=={ready.lock.versions[name]}" for name in SMALL}
    assert python_says(ready.layout.python, "import sys; print('%d.%d' % sys.version_info[:2])") == PYTHON
    assert not find_problems(ready.layout, ready.lock)


def test_everything_lies_in_the_folder(plan, monkeypatch, tmp_path):
    """Not a file appears in the home folder or beside the folder, whatever uv has been told by others."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("UV_CACHE_DIR", str(home / "someone's cache"))
    install(plan)
    assert not list(home.iterdir())
    assert [path.name for path in plan.layout.folder.parent.iterdir()] == [plan.layout.folder.name]


def test_steps_are_told(plan):
    """Progress rises from the first step to ready."""
    steps = []
    install(plan, report=steps.append)
    factors = [step.factor for step in steps]
    assert factors == sorted(factors) and factors[-1] == 1.0 and len(steps) >= 4


@pytest.mark.parametrize("harm", ["delete", "change in place", "drop record", "drop package"])
def test_repair(ready, harm):
    """Find the package that is broken, whatever broke it, and install that one anew, from the index and not a cache."""
    package = ready.layout.site_packages / "idna"
    if harm == "delete":
        (package / "core.py").unlink()
    elif harm == "change in place":  # the file is shared with the download cache
        (package / "core.py").write_text("broken", encoding="utf-8")
    elif harm == "drop record":
        next(ready.layout.site_packages.glob("idna-*.dist-info/RECORD")).unlink()
    else:
        next(ready.layout.site_packages.glob("idna-*.dist-info")).rename(ready.layout.folder / "cache" / "gone")
    problems = repair(ready)
    assert [problem.package for problem in problems] == ["idna"]
    assert not find_problems(ready.layout, ready.lock) and ready.layout.state(ready.lock) == "ready"
    assert python_says(ready.layout.python, "import idna; print(idna.encode('ü').decode())") == "xn--tda"


def test_repair_from_a_wheelhouse(plan, tmp_path):
    """A folder of wheels is enough to mend what was made from it."""
    wheelhouse = tmp_path / "wheelhouse"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*pip, "--requirement", str(plan.lock.path), "--dest", str(wheelhouse)], check=True)
    plan = replace(plan, source=Source(wheelhouse=wheelhouse))
    install(plan)
    (plan.layout.site_packages / "idna" / "core.py").unlink()
    assert [problem.package for problem in repair(plan)] == ["idna"]
    assert not find_problems(plan.layout, plan.lock)


def test_upgrade_and_downgrade(ready, real_lock, tmp_path):
    """Another lock makes the environment outdated; setting up brings it there, and takes away what is no more in it."""
    path = tmp_path / "newer.txt"
    path.write_text(pins(real_lock, "idna", "zipp"), encoding="utf-8")
    newer = replace(ready.lock, path=path, versions={name: real_lock.versions[name] for name in ("idna", "zipp")})
    assert ready.layout.state(newer) == "outdated"
    install(replace(ready, lock=newer))
    assert ready.layout.state(newer) == "ready"
    assert {found.split("==")[0] for found in installed_versions(ready.layout)} == {"idna", "zipp"}


def test_remove_leaves_nothing(ready):
    """The folder is gone; one that holds something else is left alone and named."""
    stranger = ready.layout.folder / "thesis.txt"
    stranger.write_text("mine", encoding="utf-8")
    with pytest.raises(SetupError, match=r"thesis\.txt"):
        ready.layout.remove()
    assert ready.layout.state(ready.lock) == "ready"
    stranger.unlink()
    ready.layout.remove()
    assert not ready.layout.folder.exists() and ready.layout.state() == "absent"


def test_cancelled_and_gone_on(plan):
    """A set-up that was cancelled is unfinished, not ready; the next one finishes it."""
    with pytest.raises(SetupCancelledError):
        install(plan, is_cancelled=plan.layout.python.exists)
    assert plan.layout.state(plan.lock) == "unfinished"
    install(plan)
    assert plan.layout.state(plan.lock) == "ready"


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.6, 1.0])
def test_killed_and_gone_on(plan, moment, tmp_path):
    """A set-up that is killed at any moment is never taken for ready, and the next one finishes it."""
    code = (
        "import pickle, sys; from pathlib import Path; from diffsynth_blender.environment.install import install;"
        "install(pickle.loads(Path(sys.argv[1]).read_bytes()))"
    )
    pickled = tmp_path / "plan"
    pickled.write_bytes(pickle.dumps(plan))
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(pickled)],
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    deadline = time.monotonic() + 60
    while not plan.layout.lock_file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(moment)
    finished = plan.layout.state(plan.lock) == "ready"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert finished or plan.layout.state(plan.lock) in ("absent", "unfinished", "ready")
    install(plan)
    assert plan.layout.state(plan.lock) == "ready" and not find_problems(plan.layout, plan.lock)


def test_two_at_once(plan):
    """A second set-up of the same folder says so, and harms nothing."""
    second = []

    def start_another(step):
        if not second:
            with pytest.raises(SetupError, match="another set-up is under way") as refused:
                install(plan)
            second.append(refused)

    install(plan, report=start_another)
    assert second and plan.layout.state(plan.lock) == "ready"


def test_a_file_that_is_not_the_locked_one(plan, tmp_path):
    """A package whose hash differs is refused, named, and nothing counts as installed."""
    lines = plan.lock.path.read_text(encoding="utf-8")
    for digest in {word.split(":")[1] for word in lines.split() if word.startswith("--hash")}:
        lines = lines.replace(digest, hashlib.sha256(digest.encode()).hexdigest())
    path = tmp_path / "forged.txt"
    path.write_text(lines, encoding="utf-8")
    with pytest.raises(SetupError, match="not the one that was locked"):
        install(replace(plan, lock=replace(plan.lock, path=path)))
    assert plan.layout.state(plan.lock) == "unfinished"


def test_the_worker_sees_nothing_but_its_environment(ready, monkeypatch, tmp_path):
    """A poisoned PYTHONPATH and user site are not looked at by a worker's process."""
    poison = "raise SystemExit('poisoned')"
    user = tmp_path / "user"
    site = user / "lib" / f"python{PYTHON}" / "site-packages"
    for folder in (tmp_path / "poison", site):
        folder.mkdir(parents=True)
        for name in ("idna", "json", "certifi", "sitecustomize", "usercustomize"):
            (folder / f"{name}.py").write_text(poison, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "poison"))
    monkeypatch.setenv("PYTHONUSERBASE", str(user))
    done = subprocess.run(
        [str(ready.layout.python), "-c", "import json, idna, certifi; print(idna.__file__)"],
        env=worker_environment(Path.cwd()), cwd=tmp_path / "poison", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(ready.layout.site_packages) in done.stdout


def test_refused_before_anything_is_written(plan, tmp_path):
    """What cannot succeed is told at once, with the remedy, and leaves no folder."""
    for change, words in (
        ({"source": Source(wheelhouse=tmp_path / "nowhere")}, "correct the wheelhouse"),
        ({"source": Source(allow_network=False)}, "Allow Online Access"),
        ({"lock": replace(plan.lock, download_bytes=10**15)}, "make room"),
        ({"base_python": tmp_path / "python"}, "no such interpreter"),
    ):
        with pytest.raises(SetupError, match=words):
            install(replace(plan, **change))
    assert not plan.layout.folder.exists()


def test_a_folder_that_cannot_be_written(plan, tmp_path):
    """A file in the way of the folder is named."""
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(SetupError, match="cannot be written to"):
        install(replace(plan, layout=Layout(tmp_path / "taken" / "worker")))


def test_an_extension_that_lost_its_installer(plan, monkeypatch, tmp_path):
    """A wheel of uv that is missing or damaged is named with what to do."""
    monkeypatch.setattr("diffsynth_blender.environment.bundled_uv.WHEELS", tmp_path)
    with pytest.raises(SetupError, match="not there; install the extension again"):
        install(plan)
    for wheel in UV_WHEELS.values():
        wheel.path.write_bytes(b"half")
    with pytest.raises(SetupError, match="its hash differs"):
        install(plan)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("error: Failed to fetch\n  cause: dns error", "network, proxy and mirror"),
        ("  × Failed to write: No space left on device (os error 28)", "make room"),
        ("error: failed to create directory\n  Caused by: Permission denied (os error 13)", "cannot be written to"),
        ("error: something never seen", "something never seen"),
    ],
)
def test_one_sentence_of_what_uv_says(said, meant):
    """The cause in uv's words, and the remedy in ours."""
    sentence = explain(said.splitlines())
    assert meant in sentence and "\n" not in sentence


def test_a_long_path(plan, tmp_path):
    """A folder far down is as good as any."""
    far = tmp_path.joinpath(*["a folder with a long name"] * 8)
    install(replace(plan, layout=Layout(far / "worker")))
    assert len(str(far)) > 240 and Layout(far / "worker").state(plan.lock) == "ready"
