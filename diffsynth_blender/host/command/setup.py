"""The command setup: the worker's environment planned, installed, verified, repaired or removed."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

from ...environment.errors import SetupError
from ...environment.install import Step, install, repair
from ...environment.plan import Plan
from ...environment.verify import find_problems
from ..setup.operators import chosen_setup
from ..setup.properties import plan_of
from .log import CommandLog


def setup(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Do what is asked for with the environment that the preferences describe; returns its folder.

    Raises SetupError where it fails or, for `verify`, where the environment is not whole.
    """
    plan = plan_of(chosen_setup())
    ACTIONS[options.action](plan, log, cancelled)
    return plan.layout.folder


def _plan(plan: Plan, log: CommandLog, cancelled: threading.Event) -> None:
    for line in plan.lines():
        log.note(line)
    plan.check()


def _install(plan: Plan, log: CommandLog, cancelled: threading.Event) -> None:
    _plan(plan, log, cancelled)
    install(plan, report=_teller(log), is_cancelled=cancelled.is_set)


def _repair(plan: Plan, log: CommandLog, cancelled: threading.Event) -> None:
    for problem in repair(plan, report=_teller(log), is_cancelled=cancelled.is_set):
        log.note(f"repaired {problem}")


def _verify(plan: Plan, log: CommandLog, cancelled: threading.Event) -> None:
    state = plan.layout.state(plan.lock)
    if state != "ready":
        raise SetupError(f"{plan.layout.folder}: {state}; run setup install")
    problems = find_problems(plan.layout, plan.lock, is_cancelled=cancelled.is_set)
    for problem in problems:
        log.note(str(problem))
    if problems:
        raise SetupError(f"{plan.layout.folder}: {len(problems)} packages are broken; run setup repair")
    log.note("ready")


def _remove(plan: Plan, log: CommandLog, cancelled: threading.Event) -> None:
    plan.layout.remove()


ACTIONS = {"plan": _plan, "install": _install, "verify": _verify, "repair": _repair, "remove": _remove}
"""By what follows `setup` on the command line (`command_arguments.SETUP_ACTIONS`)."""


def _teller(log: CommandLog):
    told = [""]

    def tell(step: Step) -> None:
        if step.text != told[0]:
            told[0] = step.text
            log.note(f"{step.factor:.0%} {step.text}")

    return tell
