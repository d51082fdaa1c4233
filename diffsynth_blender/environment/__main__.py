"""`python -m diffsynth_blender.environment plan|install|verify|repair|remove --folder DIR`: the set-up without Blender.

Exit codes: 0 done, 2 bad arguments, 3 failed or not whole, 130 cancelled.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .backends import BACKENDS
from .errors import SetupCancelledError, SetupError
from .install import Step, install, repair
from .plan import Plan, make_plan
from .source import Source
from .verify import find_problems


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        plan = make_plan(options.folder, backend=options.backend, base_python=options.python, source=_source(options))
        return int(COMMANDS[options.command](plan) or 0)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("cancelled", file=sys.stderr)
        return SetupCancelledError.exit_code


def _plan(plan: Plan) -> None:
    print("\n".join(plan.lines()))
    plan.check()


def _install(plan: Plan) -> None:
    install(plan, report=_show)


def _repair(plan: Plan) -> None:
    for problem in repair(plan, report=_show):
        print(f"repaired {problem}")


def _verify(plan: Plan) -> int:
    """3 where something is wrong."""
    state = plan.layout.state(plan.lock)
    problems = () if state == "absent" else find_problems(plan.layout, plan.lock)
    print("\n".join([state, *map(str, problems)]))
    return SetupError.exit_code if problems or state != "ready" else 0


def _remove(plan: Plan) -> None:
    plan.layout.remove()


COMMANDS = {"plan": _plan, "install": _install, "verify": _verify, "repair": _repair, "remove": _remove}


def _show(step: Step) -> None:
    print(f"{step.factor:4.0%} {step.text}", flush=True)


def _source(options: argparse.Namespace) -> Source:
    return Source(options.wheelhouse, options.index_url, options.find_links, options.proxy)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="environment", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--folder", type=Path, required=True, help="of the environment")
    parser.add_argument("--backend", default="", choices=("", *BACKENDS), help="what torch computes on")
    parser.add_argument("--python", type=Path, help="interpreter to make the environment with")
    parser.add_argument("--wheelhouse", type=Path, help="folder with every wheel; no network is used")
    parser.add_argument("--index-url", default="", help="mirror of the package index")
    parser.add_argument("--find-links", type=Path, help="folder with some wheels, beside the index")
    parser.add_argument("--proxy", default="", help="URL of a proxy")
    return parser


if __name__ == "__main__":
    sys.exit(main())
