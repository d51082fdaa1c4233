import pytest

from diffsynth_blender.protocol import BadJobError, Control, Deflicker, Noise, Settings
from diffsynth_blender.protocol.changes import change_settings


def test_changes_what_is_named() -> None:
    """Numbers, lists, text, groups and groups that were not used before; everything else stays."""
    before = Settings(prompt="clay", deflicker=None, controls=(Control("depth"),))
    changed = change_settings(
        before, ["strength=0.7", "prompt=a = b", "deflicker.window=[8, 2]", "noise.kind=surface", "attention.stride=3"]
    )
    assert (changed.strength, changed.prompt, changed.controls) == (0.7, "a = b", before.controls)
    assert changed.deflicker == Deflicker(window=(8, 2)) and changed.noise == Noise("surface")
    assert changed.attention is not None and changed.attention.stride == 3
    assert change_settings(changed, ["deflicker=null"]).deflicker is None
    assert change_settings(before, []) == before


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("strength", "KEY=VALUE"),
        ("strenght=1", "'strength'"),
        ("strength=2", "to 1"),
        ("deflicker.windows=2", "'window'"),
        ("controls.depth=1", "no group 'controls'"),
        ("prompt=3", "string"),
    ],
)
def test_refuses_what_cannot_be(assignment: str, words: str) -> None:
    """Say in one line what is wrong and what can be."""
    with pytest.raises(BadJobError) as caught:
        change_settings(Settings(prompt="clay"), [assignment])
    assert words in str(caught.value) and "\n" not in str(caught.value)
