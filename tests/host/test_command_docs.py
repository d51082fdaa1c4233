"""docs/pipeline.md says what is: its command lines can be read, its lines are those written, its scripts run."""

import ast
import inspect
import json
import re
import shlex
from dataclasses import fields
from pathlib import Path

import bpy
import pytest

from diffsynth_blender.host import api
from diffsynth_blender.host.command import command
from diffsynth_blender.host.command import log as command_log
from diffsynth_blender.host.command import models as command_models
from diffsynth_blender.host.command.arguments import parse
from diffsynth_blender.host.result import strip
from diffsynth_blender.protocol import ERRORS, MESSAGES, output_path
from diffsynth_blender.protocol.errors import INTERNAL_KIND
from diffsynth_blender.protocol.messages import STAGES
from tests.host.shots import make_shot
from tests.host.stand_in_worker import use_stand_in_worker
from tests.host.test_extension import ADDON

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pipeline.md"
TEXT = PAGE.read_text()


def blocks(language: str) -> list[str]:
    """The page's code in a language; "" for command lines."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def table(title: str) -> list[str]:
    """First cells of the table whose head begins with a word, without their marks."""
    rows = TEXT[TEXT.index(f"| {title} |") :].split("\n\n")[0].splitlines()[2:]
    return [row.split("|")[1].strip().strip("`") for row in rows]


def test_command_lines_can_be_read():
    """Every example is what the command line takes."""
    lines = [line for block in blocks("") for line in block.splitlines() if "--command diffsynth" in line]
    assert len(lines) > 8
    for line in lines:
        options = parse(shlex.split(line.partition("--command diffsynth")[2]))
        assert options.command in command.ACTIONS


def test_every_command_and_option_is_told_of(capsys):
    """The table has every command and no other; each has its help, which says what the exit codes mean."""
    assert [cell.split()[0] for cell in table("command")] == list(command.ACTIONS)
    for name in command.ACTIONS:
        assert command.run([name, "--help"]) == 0
        told = capsys.readouterr().out
        assert "--json" in told and "130 cancelled" in told


def test_exit_codes_and_kinds():
    """The table of exit codes has those that errors carry; every kind of failure is named."""
    assert [int(cell) for cell in table("code")] == sorted({0, 1} | {error.exit_code for error in ERRORS.values()})
    for kind in {*ERRORS, INTERNAL_KIND} - {"cancelled"}:
        assert f"`{kind}`" in TEXT


def test_lines_have_the_keys_that_are_written():
    """Examples in JSON are objects as the command writes them, and stages are those of the worker."""
    ours = (command_log.FileWritten, command_log.JobStatus, *command_models.LINES)
    kinds = {kind.__name__: kind for kind in (*MESSAGES, *ours)}
    lines = [json.loads(line) for block in blocks("json") for line in block.splitlines()]
    assert {"JobProgress", "JobDone", *(kind.__name__ for kind in ours)} <= {line["type"] for line in lines}
    for line in lines:
        assert list(line) == ["type", *(field.name for field in fields(kinds[line["type"]]))]
    for stage in (command_models.STAGE, *STAGES):
        assert f"`{stage}`" in TEXT


def test_scripts_run(tmp_path, monkeypatch):
    """The three calls as they stand there lead from the open scene to a strip; so does the one that can be stopped."""
    use_stand_in_worker(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    shot = make_shot(width=32, height=24)
    whole, extension, stoppable = blocks("python")
    exec(compile(whole, str(PAGE), "exec"), {})
    assert strip.find_edit_scene(shot) is not None
    output_path(tmp_path / "stylised", 5).unlink()
    exec(compile(stoppable, str(PAGE), "exec"), {})
    assert output_path(tmp_path / "stylised", 5).is_file()
    (module,) = [node.module for node in ast.parse(extension).body if isinstance(node, ast.ImportFrom)]
    assert module == f"{ADDON}.diffsynth_blender.host"


@pytest.mark.parametrize("name", ["capture", "stylise", "insert_strip"])
def test_calls_have_the_arguments_that_are_listed(name):
    """Each of the three is listed with its arguments."""
    (listed,) = re.findall(rf"`(api\.{name}\([^`]*\))`", TEXT)
    call = ast.parse(listed.replace("*, ", "").replace(" ", ""), mode="eval").body
    words = [argument.id for argument in call.args] + [keyword.arg for keyword in call.keywords]
    assert words == list(inspect.signature(getattr(api, name)).parameters)


def test_defaults_need_the_add_on(tmp_path):
    """Where no add-on keeps choices in the scene, a call that leaves them out is told what to give."""
    with pytest.raises(Exception, match="not enabled"):
        api.capture(bpy.context.scene, tmp_path / "job")
