import pytest
import torch

from diffsynth_blender.diffusion.windows import frame_windows


@pytest.mark.parametrize("count", [1, 2, 3, 8, 13, 24])
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (2, 1), (4, 4), (8, 6), (8, 4), (16, 3)])
def test_weights_sum_to_one_and_reach_every_frame(count, size, stride):
    """A constant goes through windows unchanged, whatever their number; each frame is inside at least one."""
    windows = frame_windows(count, size, stride)
    total = torch.zeros(count, 1, 1, 1)
    for window in windows:
        assert (window.weights > 0).all() and len(window.weights) <= len(window.frames)
        assert int(window.frames.min()) >= 0 and int(window.frames.max()) < count
        window.add(total, torch.ones(len(window.frames), 1, 1, 1))
    torch.testing.assert_close(total, torch.ones_like(total), atol=1e-6, rtol=0)


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_plain_groups_have_one_size_and_weights_of_exactly_one(count):
    """With stride == size every group is full, and results pass through bit for bit."""
    for window in frame_windows(count, 4, 4):
        assert len(window.frames) == 4
        assert window.weights.tolist() == [1.0] * len(window.weights)
    total, values = torch.zeros(count, 2, 3, 3), torch.randn(count, 2, 3, 3)
    for window in frame_windows(count, 4, 4):
        window.add(total, values[window.frames])
    assert torch.equal(total, values)


def test_overlapping_windows_end_with_the_clip():
    """The last window is moved back rather than filled up; a short clip is one window of its own length."""
    assert [window.frames.tolist() for window in frame_windows(7, 4, 3)] == [[0, 1, 2, 3], [3, 4, 5, 6]]
    assert [window.frames.tolist() for window in frame_windows(8, 4, 3)] == [[0, 1, 2, 3], [3, 4, 5, 6], [4, 5, 6, 7]]
    assert [window.frames.tolist() for window in frame_windows(2, 8, 6)] == [[0, 1]]


def test_the_middle_of_a_window_counts_most():
    """Where two windows overlap, a frame is mostly what the window says in whose middle it is nearer."""
    first, second = frame_windows(6, 4, 2)
    assert first.weights[2] > second.weights[0] and first.weights[3] < second.weights[1]


@pytest.mark.parametrize(("count", "size", "stride"), [(0, 4, 4), (5, 4, 0), (5, 4, 5)])
def test_windows_that_leave_frames_out_are_refused(count, size, stride):
    """No frames, no progress, or gaps."""
    with pytest.raises(ValueError, match="windows of"):
        frame_windows(count, size, stride)
