"""Files of passes and pictures with bytes changed or missing: read as they are, or refused; nothing crashes."""

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from diffsynth_blender.passes.stills import encode_still
from tests.e2e.conftest import ENVIRONMENT, ROOT
from tests.faults.fuzz_reader import HEIGHT, WIDTH
from tests.faults.wrong import tried
from tests.reference.exr_files import write_exr, write_exr_parts, write_exr_tiles

MEMORY = 4 << 30
"""Address space of a process that reads damaged files [bytes]: a declared size is never made room for."""
SECONDS = 240.0

CODECS = ("NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB")


def picture_files() -> dict[str, bytes]:
    """A frame in every format and mode that frames come in."""
    pixels = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    image = Image.fromarray(pixels)

    def encoded(picture: Image.Image, kind: str, **options) -> bytes:
        content = io.BytesIO()
        picture.save(content, kind, **options)
        return content.getvalue()

    return {
        "rgb.png": encoded(image, "PNG"),
        "rgba.png": encoded(image.convert("RGBA"), "PNG"),
        "grey.png": encoded(image.convert("L"), "PNG"),
        "palette.png": encoded(image.convert("P"), "PNG", transparency=3),
        "bits.png": encoded(image.convert("1"), "PNG"),
        "grey16.png": encoded(Image.fromarray(pixels[..., 0].astype(np.uint16) * 257), "PNG"),
        "rgb16.png": encode_still(pixels.astype(np.float32) / 255, 16),
        "moving.png": encoded(image, "PNG", save_all=True, append_images=[image.rotate(180)]),
        "rgb.jpg": encoded(image, "JPEG"),
        "grey.jpg": encoded(image.convert("L"), "JPEG"),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG"),
        "rgb.webp": encoded(image, "WEBP"),
        "rgb.bmp": encoded(image, "BMP"),
        "rgb.tif": encoded(image, "TIFF"),
        "lzw.tif": encoded(image, "TIFF", compression="tiff_lzw"),
    }


def read_damaged(folder: Path, seed: str, count: int, tally) -> None:
    """Damage the files of a folder, read them in another process, and record each."""
    started_at = time.monotonic()
    process = subprocess.run(
        [
            "prlimit", f"--as={MEMORY}", sys.executable, "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.faults import fuzz_reader as f; from pathlib "
            f"import Path; f.main(Path({str(folder)!r}), {seed!r}, {count})",
        ],
        env={**ENVIRONMENT, "MALLOC_ARENA_MAX": "2"}, capture_output=True, timeout=SECONDS + count, check=False,
    )  # fmt: skip
    lines = [json.loads(line) for line in process.stdout.splitlines() if line.startswith(b'{"')]
    assert process.returncode == 0, (lines[-2:], process.stderr[-500:])
    named, told = lines[::2], lines[1::2]
    assert len(told) == count, f"{len(told)} of {count} in {time.monotonic() - started_at:.0f} s"
    for name, found in zip(named, told, strict=True):
        with tried(tally, f"damaged {Path(name['file']).suffix[1:].upper()} file"):
            assert found["outcome"] in ("read", "refused"), (name, found)
            assert found["seconds"] < 60.0, (name, found)


@pytest.mark.timeout(3600)
def test_damaged_passes(good, tmp_path, fault_seed, times, tally):
    """Every codec, one part and many, scan lines and tiles: whatever is changed or missing, nothing crashes."""
    for codec in CODECS:
        write_exr(tmp_path / f"{codec}.exr", good, getattr(OpenEXR, f"{codec}_COMPRESSION"))
    write_exr_parts(tmp_path / "parts.exr", good)
    write_exr_tiles(tmp_path / "tiles.exr", good)
    read_damaged(tmp_path, f"{fault_seed}", times(360, 6_000), tally)


@pytest.mark.timeout(3600)
def test_damaged_pictures(tmp_path, fault_seed, times, tally):
    """The same for every format and mode of source frames, styles, guides and reference pictures."""
    for name, content in picture_files().items():
        (tmp_path / name).write_bytes(content)
    read_damaged(tmp_path, f"{fault_seed}", times(300, 6_000), tally)
