"""What a frame tells of how it was made: enough to make it again, and nothing that is private."""

from diffsynth_blender.protocol import Settings
from diffsynth_blender.worker.frame_text import frame_text


def test_frame_tells_what_it_was_made_with():
    """Settings' hash, model, seed and versions; no path and no prompt."""
    for model in ("/home/anna/models/clay.safetensors", r"C:\Users\Anna\models\clay.safetensors"):
        text = frame_text("ab12", {"torch": "2.9.0", "warp": "1.9"}, Settings(prompt="secret", model=model, seed=7))
        assert text["diffsynth_settings_hash"] == "ab12"
        assert (text["diffsynth_model"], text["diffsynth_seed"]) == ("clay.safetensors", "7")
        assert text["diffsynth_versions"] == "torch 2.9.0, warp 1.9"
        assert not any("secret" in value or "nna" in value for value in text.values())


def test_steady_frames_have_no_model():
    """Nothing was restyled."""
    assert set(frame_text("ab12", {})) == {"Software", "diffsynth_settings_hash", "diffsynth_versions"}
