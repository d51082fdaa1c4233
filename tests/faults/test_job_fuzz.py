"""A job file that is wrong anywhere: read as what it says, or refused in one sentence; nothing else ever happens."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from diffsynth_blender.protocol import BadJobError, change_settings, load_job, read_journal, save_job, settings_hash
from diffsynth_blender.protocol.objects import load_objects
from diffsynth_blender.worker.failure import describe_failure
from tests.faults.wrong import NAMES, NUMBERS, REMOVE, WRONG, changed, is_refusal, places, tried
from tests.protocol.examples import example_job, example_value

EXACT = {"suppress_health_check": list(HealthCheck), "deadline": None, "database": None}
"""Examples depend on the seed alone; whether reading is quick enough is for the limits of the tests."""


def read_or_refused(folder: Path) -> str:
    """Read the job of a folder: "" where it says what it says after it was saved again, too, else the refusal."""
    try:
        job = load_job(folder)
    except BadJobError as error:
        assert is_refusal(describe_failure(error).message, str(folder)), error
        return str(error)
    other = folder / "again"
    save_job(job, other)
    assert load_job(other) == job and settings_hash(load_job(other)) == settings_hash(job)
    return ""


def refused_or_none(read: Callable[[], object], *names: Path) -> None:
    """Call what reads; a refusal names what it refuses and is told as people are told it."""
    try:
        read()
    except BadJobError as error:
        assert is_refusal(describe_failure(error).message, *map(str, names)), error


def test_any_value_at_any_place(tmp_path, fault_seed, times, tally):
    """Every place of a job that uses everything, with any value of any type in it, or with none."""
    good = example_value(tmp_path)
    every = list(places(good))

    @seed(fault_seed)
    @settings(max_examples=times(400, 2_000), **EXACT)
    @given(st.sampled_from(every), WRONG | st.just(REMOVE))
    def law(place, value):
        (tmp_path / "job.json").write_text(json.dumps(changed(good, place, value)))
        with tried(tally, "job.json: one value wrong"):
            read_or_refused(tmp_path)

    law()


def test_every_place_with_what_is_most_often_wrong(tmp_path, times, tally):
    """Null, another type, the largest, the smallest and no number at all: at every place, refused or kept as it is."""
    good = example_value(tmp_path)
    values = [None, REMOVE, "", "x", True, [], {}, *NUMBERS][:: times(9, 3)]
    for place in places(good):
        for value in values:
            (tmp_path / "job.json").write_text(json.dumps(changed(good, place, value)))
            with tried(tally, "job.json: one value wrong"):
                read_or_refused(tmp_path)


def test_several_values_at_once(tmp_path, fault_seed, times, tally):
    """Whatever else is wrong: the first thing that is noticed is told."""
    good = example_value(tmp_path)
    every = list(places(good))[1:]

    @seed(fault_seed)
    @settings(max_examples=times(60, 600), **EXACT)
    @given(st.lists(st.tuples(st.sampled_from(every), WRONG), min_size=2, max_size=6))
    def law(changes):
        value = good
        for place, new in changes:
            try:
                value = changed(value, place, new)
            except (KeyError, IndexError, TypeError):  # what it lay in was replaced before
                continue
        (tmp_path / "job.json").write_text(json.dumps(value))
        with tried(tally, "job.json: several values wrong"):
            read_or_refused(tmp_path)

    law()


def texts_of(value: object) -> dict[str, bytes]:
    """Files that are no job file, by what is wrong with them."""
    text = json.dumps(value)
    return {
        "empty": b"",
        "blank": b" \n\t",
        "no JSON": b"prompt = clay",
        "a byte order mark": b"\xef\xbb\xbf" + text.encode(),
        "UTF-16": text.encode("utf-16"),
        "UTF-32": text.encode("utf-32"),
        "broken UTF-8": text.replace("clay", "cl\udcffy").encode(errors="surrogateescape"),
        "half a surrogate pair": text.replace("clay", "\\ud800").encode(),
        "a zero byte": text.replace("clay", "cl\\u0000y").encode(),
        "two values": text.encode() + text.encode(),
        "a comment": b"// ours\n" + text.encode(),
        "a trailing comma": text[:-1].encode() + b",}",
        "lists a hundred thousand deep": b"[" * 100_000,
        "objects a hundred thousand deep": b'{"a":' * 100_000,
        "a deep prompt": text.replace('"a clay model"', "[" * 50_000 + "]" * 50_000).encode(),
        "a number of a million digits": text.replace('"seed": 0', '"seed": ' + "9" * 1_000_000).encode(),
        "an exponent without end": text.replace('"seed": 0', '"seed": 1e999999999').encode(),
        "a key twice": text.replace('"seed": 0', '"seed": 0, "seed": 1').encode(),
        "a hundred thousand unknown keys": ("{" + ",".join(f'"k{i}":0' for i in range(100_000)) + "}").encode(),
        "a key of a million letters": text.replace('"seed"', f'"{"k" * 1_000_000}"').encode(),
        "a key of two lines": text.replace('"seed"', '"two\\nlines\\u001b[2J"').encode(),
        "another format": text.replace("diffsynth-job", "other").encode(),
        "a newer version": text.replace('"version": 3', '"version": 4').encode(),
        "an older version": text.replace('"version": 3', '"version": 2').encode(),
        "a version that is no number": text.replace('"version": 3', '"version": NaN').encode(),
        "a list": b"[]",
        "a text": b'"diffsynth-job"',
        "a zip": b"PK\x03\x04" + bytes(1000),
    }


@pytest.mark.parametrize("what", list(texts_of({})))
def test_texts_that_are_no_job(what, tmp_path, tally):
    """Refused for what they are, as a whole, whatever their encoding, depth and length."""
    (tmp_path / "job.json").write_bytes(texts_of(example_value(tmp_path))[what])
    with tried(tally, "job.json: no job file"):
        assert read_or_refused(tmp_path), what


def test_any_bytes_changed(tmp_path, fault_seed, times, tally):
    """Flipped bits, lost pieces and pieces twice."""
    content = save_job(example_job(), tmp_path).read_bytes()
    dice = random.Random(fault_seed)
    for _ in range(times(200, 2_000)):
        damaged, first = bytearray(content), dice.randrange(len(content))
        last = min(len(content), first + dice.choice([1, 1, 2, 10, 500]))
        match dice.randrange(4):
            case 0:
                damaged[first] ^= 1 << dice.randrange(8)
            case 1:
                del damaged[first:last]
            case 2:
                damaged[first:first] = content[first:last]
            case 3:
                damaged[first:last] = dice.randbytes(last - first)
        (tmp_path / "job.json").write_bytes(damaged)
        with tried(tally, "job.json: bytes damaged"):
            read_or_refused(tmp_path)


@pytest.mark.parametrize("what", ["a folder", "a pipe", "a device", "a loop", "a terabyte"])
def test_what_is_no_ordinary_file(what, tmp_path, tally):
    """Refused at once: nobody writes to the pipe, and the device never ends."""
    path = tmp_path / "job.json"
    match what:
        case "a folder":
            path.mkdir()
        case "a pipe":
            os.mkfifo(path)
        case "a device":
            path.symlink_to("/dev/zero")
        case "a loop":
            path.symlink_to("job.json")
        case "a terabyte":
            with path.open("wb") as file:
                file.truncate(1 << 40)
    with tried(tally, "job.json: no ordinary file"):
        assert read_or_refused(tmp_path)


def test_matrices_beside_it(tmp_path, fault_seed, times, tally):
    """`objects.json` is read with the same strictness; ten thousand objects take no more than a moment."""
    path = tmp_path / "0001.objects.json"
    matrix = [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    good = {"8a3f00b1": matrix, "00000000": matrix}

    @seed(fault_seed)
    @settings(max_examples=times(150, 1_500), **EXACT)
    @given(st.sampled_from(list(places(good))), WRONG | st.just(REMOVE))
    def law(place, value):
        path.write_text(json.dumps(changed(good, place, value)))
        with tried(tally, "objects.json: one value wrong"):
            refused_or_none(lambda: load_objects(path), path)

    law()
    path.write_text(json.dumps({f"{number:08x}": matrix for number in range(10_000)}))
    assert len(load_objects(path)) == 10_000


def test_journals(tmp_path, fault_seed, times, tally):
    """A line that no worker wrote is refused with its number; a file outside the folder is none of the job's."""
    path = tmp_path / "journal.jsonl"
    good = {"event": "frame", "frame": 7, "file": "output/0007.png", "sha256": "0"}
    for name in (name for name in NAMES if ".." in name or name.startswith(("/", "C:"))):
        path.write_text(json.dumps({**good, "file": name}) + "\n")
        with pytest.raises(BadJobError):
            read_journal(tmp_path)

    @seed(fault_seed)
    @settings(max_examples=times(150, 1_500), **EXACT)
    @given(st.sampled_from(list(places(good))), WRONG | st.just(REMOVE))
    def law(place, value):
        path.write_text(json.dumps(good) + "\n" + json.dumps(changed(good, place, value)) + "\n")
        with tried(tally, "journal: one value wrong"):
            refused_or_none(lambda: read_journal(tmp_path), path)

    law()


def test_settings_of_the_command_line(tmp_path, fault_seed, times, tally):
    """`--set KEY=VALUE` changes what it names or is refused, whatever stands on either side."""
    keys = [".".join(map(str, place[1:])) for place in places({"settings": example_value(tmp_path)["settings"]})][1:]

    @seed(fault_seed)
    @settings(max_examples=times(200, 2_000), **EXACT)
    @given(
        st.sampled_from([*keys, "", ".", "a..b", "deflicker.", "prompt.x.y"]) | st.text(max_size=10),
        WRONG.map(json.dumps) | st.text(max_size=20) | st.sampled_from(["[" * 100_000, "NaN", "1e999", "9" * 5000]),
    )
    def law(key, value):
        with tried(tally, "--set: wrong key or value"):
            refused_or_none(lambda: change_settings(example_job().settings, [f"{key}={value}"]))

    law()
