"""CLIP's tokenizer, built from the list of merges that is shipped."""

import pytest

from diffsynth_blender.models.tokenizer import clip_tokenizer


@pytest.mark.parametrize(
    "text, ids",
    [
        ("a photo of a cat", [320, 1125, 539, 320, 2368]),
        ("A PHOTO  of\n a cat", [320, 1125, 539, 320, 2368]),
        ("a photo of an astronaut riding a horse on mars", [320, 1125, 539, 550, 18376, 6765, 320, 4558, 525, 7496]),
        ("", []),
    ],
)
def test_tokens_are_those_of_clip(text, ids):
    """Published ids; case and kinds of space do not count."""
    assert clip_tokenizer(pad_with_zero=False)(text).input_ids == [49406, *ids, 49407]


def test_texts_are_filled_up_as_the_encoders_were_trained():
    """OpenAI's with the end of the text, OpenCLIP's with zeros."""
    for zero, pad in ((False, 49407), (True, 0)):
        ids = clip_tokenizer(pad_with_zero=zero)("a cat", padding="max_length").input_ids
        assert ids == [49406, 320, 2368, 49407, *[pad] * 73]


def test_any_text_comes_back():
    """Whatever is typed is bytes, and every byte is a token."""
    tokenizer = clip_tokenizer(pad_with_zero=False)
    assert len(tokenizer) == 49408
    for text in ("8k, (masterpiece:1.2)", "ünïcode ёж 日本語 😀", "~`|\\ \x00"):
        ids = tokenizer(text).input_ids[1:-1]
        assert 49407 not in ids
        assert "".join(tokenizer.decode(ids).split()) == "".join(text.lower().split())
