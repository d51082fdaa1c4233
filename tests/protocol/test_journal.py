import subprocess
import sys
import threading
from pathlib import Path

import pytest

from diffsynth_blender.protocol import BadJobError, JobBusyError, Journal, baseline_path, output_path, read_journal

ROOT = Path(__file__).parents[2]


def finish_frame(journal: Journal, job_dir: Path, frame: int, content: bytes = b"picture") -> Path:
    path = output_path(job_dir, frame)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    journal.frame_finished(frame, path)
    return path


def finish_step(journal: Journal, job_dir: Path, index: int) -> Path:
    path = job_dir / "cache" / f"step{index}.npz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"latents %d" % index)
    journal.step_finished(index, path)
    return path


def test_no_journal_is_no_progress(tmp_path: Path) -> None:
    """Read a job folder that was never run."""
    state = read_journal(tmp_path)
    assert state.settings_hash is None and state.checkpoint is None and not state.files and not state.done


def test_go_on_with_the_same_settings(tmp_path: Path) -> None:
    """Tell the next run what is finished, and the last checkpoint."""
    with Journal(tmp_path) as journal:
        assert not journal.start("abc").files
        finish_step(journal, tmp_path, 0)
        checkpoint = finish_step(journal, tmp_path, 1)
        first = finish_frame(journal, tmp_path, 1)
        baseline = baseline_path(tmp_path, 1)
        baseline.parent.mkdir()
        baseline.write_bytes(b"other")
        journal.frame_finished(1, baseline)
    with Journal(tmp_path) as journal:
        state = journal.start("abc")
        assert state.files == {first: 1, baseline: 1} and not state.done
        assert state.checkpoint is not None and (state.checkpoint.index, state.checkpoint.path) == (1, checkpoint)
        second = finish_frame(journal, tmp_path, 2)
        journal.done()
    state = read_journal(tmp_path)
    assert state.is_finished(first) and state.is_finished(second) and state.done and state.settings_hash == "abc"


def test_other_settings_start_anew(tmp_path: Path) -> None:
    """Count nothing that was made with other settings, also when the first settings come back."""
    with Journal(tmp_path) as journal:
        journal.start("abc")
        finish_step(journal, tmp_path, 0)
        finish_frame(journal, tmp_path, 1)
        journal.done()
    for settings_hash in ("other", "abc"):
        with Journal(tmp_path) as journal:
            state = journal.start(settings_hash)
            assert state.settings_hash == settings_hash
            assert not state.files and state.checkpoint is None and not state.done


def test_only_unchanged_files_count(tmp_path: Path) -> None:
    """Forget files that are gone or changed; fall back to an earlier checkpoint."""
    with Journal(tmp_path) as journal:
        journal.start("abc")
        kept, changed, lost = (finish_frame(journal, tmp_path, frame) for frame in (1, 2, 3))
        early, late = (finish_step(journal, tmp_path, index) for index in (0, 1))
    changed.write_bytes(b"retouched")
    lost.unlink()
    late.unlink()
    state = read_journal(tmp_path)
    assert set(state.files) == {kept}
    assert state.checkpoint is not None and state.checkpoint.path == early


def test_a_checkpoint_file_used_again(tmp_path: Path) -> None:
    """Count the newest line of a checkpoint file that each step replaces."""
    path = tmp_path / "latents.npz"
    with Journal(tmp_path) as journal:
        journal.start("abc")
        for index in range(3):
            path.write_bytes(b"latents %d" % index)
            journal.step_finished(index, path)
    state = read_journal(tmp_path)
    assert state.checkpoint is not None and state.checkpoint.index == 2


def test_a_redo_takes_over_the_frames_it_makes(tmp_path: Path) -> None:
    """Tell which run made a file; a redo does not change what the others made, and the job is to be reported anew."""
    with Journal(tmp_path) as journal:
        journal.start("abc")
        kept, redone = (finish_frame(journal, tmp_path, frame) for frame in (1, 2))
        journal.done()
        journal.redo("def")
        checkpoint = finish_step(journal, tmp_path, 0)
        finish_frame(journal, tmp_path, 2, b"another picture")
    with Journal(tmp_path) as journal:
        state = journal.start("abc")
        assert not state.done and state.makers == {kept: "abc", redone: "def"}
        assert state.is_finished(redone) and state.is_finished(redone, {"def"})
        assert not state.is_finished(redone, {"abc"}) and not state.is_finished(kept, {"def"})
        assert state.checkpoint is not None and state.checkpoint.path == checkpoint
        finish_frame(journal, tmp_path, 2)
    assert read_journal(tmp_path).makers == {kept: "abc", redone: "abc"}


def test_every_torn_last_line_is_tolerated(tmp_path: Path) -> None:
    """Cut the journal at every byte: what whole lines say still holds, and a new run can go on."""
    with Journal(tmp_path) as journal:
        journal.start("abc")
        first = finish_frame(journal, tmp_path, 1)
    whole = (tmp_path / "journal.jsonl").read_bytes()
    with Journal(tmp_path) as journal:
        journal.start("abc")
        second = finish_frame(journal, tmp_path, 2)
    content = (tmp_path / "journal.jsonl").read_bytes()
    for end in range(len(whole), len(content)):
        (tmp_path / "journal.jsonl").write_bytes(content[:end])
        assert set(read_journal(tmp_path).files) == {first}
        with Journal(tmp_path) as journal:
            journal.start("abc")
            journal.frame_finished(2, second)
        assert set(read_journal(tmp_path).files) == {first, second}


@pytest.mark.parametrize("start", [0, 5, -3])
def test_zeros_in_the_last_line_are_tolerated(start: int, tmp_path: Path) -> None:
    """Take a last line whose bytes a power cut kept from the disk, but not its length, for a torn one."""
    with Journal(tmp_path) as journal:
        journal.start("abc")
        first = finish_frame(journal, tmp_path, 1)
    path = tmp_path / "journal.jsonl"
    whole = path.read_bytes()
    with Journal(tmp_path) as journal:
        finish_frame(journal, tmp_path, 2)
    line = path.read_bytes().removeprefix(whole)
    for ending in (b"", b"\n"):
        path.write_bytes(whole + line[:start].ljust(len(line) - 1, b"\0") + ending)
        assert set(read_journal(tmp_path).files) == {first}
        Journal(tmp_path).close()
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "line",
    [b"garbage\n", b"\n", b"[]\n", b'{"event": "paused"}\n', b'{"event": "done", "x": 1}\n', b'{"event": "start"}\n',
     b'{"event": "step", "index": -1, "file": "a", "sha256": "b"}\n', b"\x00\x00\n{}\n"],
)  # fmt: skip
def test_garbage_is_refused(line: bytes, tmp_path: Path) -> None:
    """Name file and line of anything else that is not the journal's, and let go of the lock."""
    with Journal(tmp_path) as journal:
        journal.start("abc")
        finish_frame(journal, tmp_path, 1)
    journal_file = tmp_path / "journal.jsonl"
    journal_file.write_bytes(journal_file.read_bytes() + line)
    for attempt in (read_journal, Journal):
        with pytest.raises(BadJobError, match=r"journal\.jsonl:3: ") as caught:
            attempt(tmp_path)
        assert not isinstance(caught.value, JobBusyError) and "\n" not in str(caught.value)


def test_remove_what_a_killed_run_left(tmp_path: Path) -> None:
    """Remove unfinished files, and nothing else."""
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / ".0001-abcd.part.png").touch()
    (tmp_path / "output" / "0001.png").touch()
    Journal(tmp_path).close()
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["0001.png"]


def test_a_file_outside_the_folder_is_a_mistake(tmp_path: Path) -> None:
    """Refuse to record a file that would not move with the folder."""
    (tmp_path / "elsewhere.png").touch()
    (tmp_path / "job").mkdir()
    with Journal(tmp_path / "job") as journal, pytest.raises(ValueError, match="elsewhere"):
        journal.frame_finished(1, tmp_path / "elsewhere.png")


def test_no_folder(tmp_path: Path) -> None:
    """Say which file cannot be written."""
    with pytest.raises(BadJobError, match=r"journal\.jsonl: cannot be written: No such file"):
        Journal(tmp_path / "nowhere")


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    """Refuse a second worker in one line while the first lives; let it in once the first was killed."""
    code = "import sys; from diffsynth_blender.protocol import Journal; j = Journal(sys.argv[1]); print(); input()"
    holder = subprocess.Popen(
        [sys.executable, "-uc", code, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline()
        with pytest.raises(JobBusyError, match="another worker runs this job"):
            Journal(tmp_path)
        assert read_journal(tmp_path).settings_hash is None
    finally:
        holder.kill()
        holder.communicate()
    Journal(tmp_path).close()


def test_readable_while_it_grows(tmp_path: Path) -> None:
    """Give a reader a consistent state at any moment of a run."""
    errors = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                frames = set(read_journal(tmp_path).files.values())
            except BadJobError as error:
                errors.append(error)
            else:
                if frames != set(range(len(frames))):
                    errors.append(frames)

    reader = threading.Thread(target=read)
    with Journal(tmp_path) as journal:
        journal.start("abc")
        reader.start()
        for frame in range(50):
            finish_frame(journal, tmp_path, frame)
        stop.set()
        reader.join()
    assert not errors
