import hashlib
import os
from pathlib import Path

import pytest

from diffsynth_blender.protocol.files import file_sha256, remove_parts, replacing, write_bytes_atomic
from diffsynth_blender.writing import unfinished


def test_replaces_in_one_piece(tmp_path: Path) -> None:
    """Show the old content until the block ends, then the new; keep the suffix for image writers."""
    path = tmp_path / "0001.png"
    write_bytes_atomic(path, b"old")
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert temporary.parent == path.parent and temporary.suffix == ".png"
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """Leave the old file and nothing else when the writer fails, also where it wrote nothing at all."""
    path = tmp_path / "0001.png"
    write_bytes_atomic(path, b"old")
    with pytest.raises(RuntimeError, match="disk"), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError("disk full")
    with pytest.raises(OSError, match=r"0001\.png"), replacing(path):
        pass
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
def test_results_are_readable_by_others(tmp_path: Path) -> None:
    """Give a new file the permissions that any other new file gets."""
    (tmp_path / "plain").touch()
    write_bytes_atomic(tmp_path / "atomic", b"")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_remove_parts(tmp_path: Path) -> None:
    """Remove what a killed writer leaves, and only that."""
    with replacing(tmp_path / "a.png") as temporary:
        temporary.touch()
        (tmp_path / "b.part.png").touch()
        remove_parts(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["b.part.png"]
        (tmp_path / "below").mkdir()
        below = unfinished(tmp_path / "below" / "c.npy")
        below.touch()
        remove_parts(tmp_path)
        assert below.exists()
        remove_parts(tmp_path, below=True)
        assert not below.exists()
        temporary.touch()
    remove_parts(tmp_path / "nowhere")


def test_sha256(tmp_path: Path) -> None:
    """Agree with hashlib over block borders."""
    content = bytes(range(256)) * 9000
    (tmp_path / "f").write_bytes(content)
    assert file_sha256(tmp_path / "f") == hashlib.sha256(content).hexdigest()
