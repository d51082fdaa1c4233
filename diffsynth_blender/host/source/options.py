"""The source on a command line: what is not given comes from the scene."""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy

from ..capture.checks import CaptureError
from .source import PassesSource, RenderSource, Source, StripSource, chosen_source


def add_source(parser: argparse.ArgumentParser) -> None:
    """Options that say where the frames come from."""
    add = parser.add_argument
    add("--source", choices=("render", "passes", "strip"), help="where the frames come from (default: the scene's)")
    add("--passes", type=_path, metavar="FILE", help="one of the shot's multilayer EXR files: nothing is rendered")
    add("--passes-layer", metavar="NAME", help="view layer of these files (default: the only one with all passes)")
    add("--pictures", type=_path, metavar="FILE", help="one of the shot's PNG files (default: the Combined pass)")
    add("--strip", metavar="NAME", help="a strip of the scene's sequencer, as footage without passes")


def source_of(options: argparse.Namespace, scene: bpy.types.Scene) -> Source:
    """The source: as given, else the scene's. Raises CaptureError where options do not go together."""
    given = {kind: value for kind, value in (("passes", options.passes), ("strip", options.strip)) if value is not None}
    kind = options.source or next(iter(given), None)
    if len(given) == 2 or any(other != kind for other in given):
        raise CaptureError(f"--{' and --'.join(given)} do not go with --source {kind}: give one source.")
    if kind == "render":
        return RenderSource()
    if kind == "strip" and options.strip is not None:
        return StripSource(options.strip)
    if kind == "passes" and options.passes is not None:
        return PassesSource(options.passes, options.passes_layer or "", options.pictures)
    chosen = chosen_source(scene)
    if kind is not None and chosen.kind != kind:
        raise CaptureError(f"--source {kind} needs --{kind}: the scene names none.")
    return chosen


def source_arguments(source: Source) -> list[str]:
    """A command line that says the same."""
    arguments = ["--source", source.kind]
    if isinstance(source, StripSource):
        return [*arguments, f"--strip={source.strip}"]
    if isinstance(source, PassesSource):
        arguments += ["--passes", str(source.file), f"--passes-layer={source.layer}"]
        return arguments if source.pictures is None else [*arguments, "--pictures", str(source.pictures)]
    return arguments


def _path(text: str) -> Path:
    return Path(text).resolve()
