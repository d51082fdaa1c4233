from pathlib import Path

import numpy as np
import pytest

from diffsynth_blender.worker.frame_store import FrameStore

SIZE = {"height": 6, "width": 10}


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_frames_come_back(tmp_path, dtype):
    """In any order, values beyond [0, 1] too; single precision to the bit, half to 0.07 / 255."""
    frames = np.random.default_rng(0).uniform(-0.2, 1.0, (5, 6, 10, 3)).astype(np.float32)
    with FrameStore(tmp_path / "frames", frame_count=5, dtype=dtype, **SIZE) as store:
        for index in (3, 0, 4, 1):
            store.write(index, frames[index])
        store.write(3, frames[2])
        for index, expected in ((0, 0), (1, 1), (3, 2), (4, 4)):
            np.testing.assert_allclose(
                store.read(index), frames[expected], atol=0 if dtype is np.float32 else 0.07 / 255, rtol=0
            )
            assert index in store
        assert 2 not in store
        with pytest.raises(KeyError):
            store.read(2)


def test_the_file_goes_with_the_job(tmp_path):
    """Removed at the end, also when the job fails, and one that a killed job left is not read."""
    path = tmp_path / "frames"
    path.write_bytes(b"left behind" * 1000)
    with pytest.raises(RuntimeError), FrameStore(path, frame_count=2, **SIZE) as store:
        assert 0 not in store
        raise RuntimeError
    assert not path.exists()


def test_another_shape_is_refused(tmp_path):
    """A frame of another size would overwrite its neighbours."""
    with FrameStore(tmp_path / "frames", frame_count=2, **SIZE) as store, pytest.raises(ValueError, match="shape"):
        store.write(0, np.zeros((7, 10, 3), np.float32))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_memory_does_not_grow_with_the_clip(tmp_path):
    """Sixty frames of 6 MB go in and come out with less than ten of them in memory."""

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    frame = np.random.default_rng(0).random((500, 1000, 3), np.float32)
    with FrameStore(tmp_path / "frames", frame_count=60, height=500, width=1000) as store:
        store.write(0, frame)
        before = resident()
        for index in range(60):
            store.write(index, frame)
        for index in range(60):
            store.read(index)
        assert resident() - before < 60_000_000
