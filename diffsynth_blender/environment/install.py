"""Making the environment: everything or nothing that counts, in steps that can be cut off and gone on with.

What is there counts only once the marker says so; it goes first and comes last. Downloads stay in the cache, so a
set-up that was cut off does not load them again.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .. import __version__
from ..protocol.lock import try_lock
from .bundled_uv import unpack_uv
from .errors import SetupError
from .layout import Layout, Marker
from .lock import PYTHON
from .plan import Plan
from .uv_run import Downloads, run_uv
from .verify import Problem, find_problems, installed_packages

Report = Callable[["Step"], None]


@dataclass(frozen=True)
class Step:
    """How far a set-up is."""

    text: str
    factor: float
    """0 to 1."""


# Shares of the whole: downloading is nearly all of it.
_UNPACK, _VENV, _SYNC, _VERIFY = 0.0, 0.02, 0.04, 0.94


def install(
    plan: Plan,
    *,
    report: Report = lambda step: None,
    is_cancelled: Callable[[], bool] = lambda: False,
    reinstall: Sequence[Problem] = (),
) -> None:
    """Do what the plan says, or go on with it; an environment that is there already is brought to the plan's lock.

    Args:
        plan: what to do.
        report: told of every step.
        is_cancelled: asked all the time.
        reinstall: packages to install anew.

    Raises:
        SetupError: it failed; the message is one sentence with the remedy. What was downloaded is kept.
        SetupCancelledError: it was asked to stop.
    """
    plan.check()
    layout = plan.layout
    with _alone(layout):
        layout.log.write_text("", encoding="utf-8")
        layout.drop_marker()
        report(Step("Unpacking the installer", _UNPACK))
        unpack_uv(layout.uv)
        _make_venv(plan, report, is_cancelled)
        _sync(plan, report, is_cancelled, [problem.package for problem in reinstall])
        report(Step("Verifying", _VERIFY))
        if problems := find_problems(layout, plan.lock, is_cancelled=is_cancelled):
            raise SetupError(f"{problems[0]} after the installation; repair the set-up")
        packages = installed_packages(layout)
        layout.write_marker(Marker(plan.backend.name, plan.lock.digest, __version__, packages))
        report(Step("Ready", 1.0))


def repair(
    plan: Plan, *, report: Report = lambda step: None, is_cancelled: Callable[[], bool] = lambda: False
) -> tuple[Problem, ...]:
    """Find what is broken and install that anew; returns what it was. Raises as `install`."""
    report(Step("Looking for what is broken", 0.0))
    problems = find_problems(plan.layout, plan.lock, is_cancelled=is_cancelled)
    install(plan, report=report, is_cancelled=is_cancelled, reinstall=problems)
    return problems


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """Hold the folder, which is made. Raises SetupError where another set-up has it or it cannot be written."""
    try:
        layout.folder.mkdir(parents=True, exist_ok=True)
        file = layout.lock_file.open("ab")
    except OSError as error:
        raise SetupError(f"{layout.folder}: cannot be written to: {error.strerror}; choose another folder") from None
    with file:
        if not try_lock(file):
            raise SetupError(f"{layout.folder}: another set-up is under way there; wait for it")
        try:
            yield
        except OSError as error:
            raise SetupError(
                f"{error.filename or layout.folder}: {error.strerror}; make room or choose another folder, and set up "
                "again"
            ) from error


def _make_venv(plan: Plan, report: Report, is_cancelled: Callable[[], bool]) -> None:
    """A virtual environment of the locked Python; one that works and fits is kept."""
    layout = plan.layout
    if layout.venv.exists() and not _is_sound(layout, PYTHON):
        shutil.rmtree(layout.venv)
    if layout.venv.exists():
        return
    report(Step(f"Making an environment of Python {PYTHON}", _VENV))
    run_uv(
        layout.uv,
        ["venv", "--python", str(plan.base_python or PYTHON), str(layout.venv)],
        environment=plan.source.environment(layout.folder),
        log=layout.log,
        on_line=lambda line: None,
        is_cancelled=is_cancelled,
    )
    if not _is_sound(layout, PYTHON):
        shutil.rmtree(layout.venv)
        raise SetupError(f"{plan.base_python}: not Python {PYTHON}, which the packages were locked for")


def _is_sound(layout: Layout, python: str) -> bool:
    """Whether a virtual environment is whole, of this version, and the Python it borrows still there."""
    try:
        text = (layout.venv / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return False
    versions = [line.split("=")[1].strip() for line in text.splitlines() if line.startswith("version")]
    # exists() follows the link to the interpreter that is borrowed.
    return layout.python.exists() and any(version.startswith(f"{python}.") for version in versions)


def _sync(plan: Plan, report: Report, is_cancelled: Callable[[], bool], reinstall: Sequence[str]) -> None:
    """Bring the packages to the lock: exactly those, each checked by its hash."""
    layout = plan.layout
    downloads = Downloads(plan.lock.download_bytes)

    def show(line: str) -> None:
        if name := downloads.read(line):
            share = min(1.0, downloads.done / downloads.total)
            report(Step(f"Downloading {name}", _SYNC + share * (_VERIFY - _SYNC)))
        elif line.startswith("Prepared"):
            report(Step("Installing packages", _VERIFY))

    report(Step("Downloading packages", _SYNC))
    run_uv(
        layout.uv,
        [
            *("pip", "sync", "--require-hashes", "--python", str(layout.python), "--link-mode", "hardlink"),
            *plan.source.arguments(plan.lock.torch_build),
            *(argument for name in reinstall for argument in ("--reinstall-package", name, "--refresh-package", name)),
            str(plan.lock.path),
        ],
        environment=plan.source.environment(layout.folder),
        log=layout.log,
        on_line=show,
        is_cancelled=is_cancelled,
    )
