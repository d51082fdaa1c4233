"""Passes and pictures that are damaged, of another make, or made to do harm: read as they are, or refused at once."""

import io
import json
import os
import random
import resource
import struct
import subprocess
import sys
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from diffsynth_blender.passes.errors import PassError
from diffsynth_blender.passes.exr import read_passes
from diffsynth_blender.passes.images import read_png
from diffsynth_blender.passes.stills import encode_still, read_still
from diffsynth_blender.protocol import load_job, save_job
from diffsynth_blender.protocol.objects import load_objects, save_objects
from tests.e2e.conftest import ENVIRONMENT, ROOT
from tests.e2e.job_folder import write_job_folder
from tests.faults.fuzz_reader import HEIGHT, WIDTH
from tests.faults.served import Served
from tests.faults.wrong import is_refusal, tree, tried
from tests.reference.exr_files import CHANNELS, planes, write_exr, write_exr_parts
from tests.reference.scene import demo_scene

MEMORY = 4 << 30
"""Address space of a process that reads damaged files [bytes]: a declared size is never made room for."""
SECONDS = 240.0

CODECS = ("NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB")


@pytest.fixture
def good() -> dict[str, np.ndarray]:
    """What an EXR file of a frame holds, by channel."""
    return planes(demo_scene(WIDTH, HEIGHT).passes(2))


def write_tiled(path: Path, channels: dict[str, np.ndarray]) -> None:
    tiles = OpenEXR.TileDescription()
    tiles.xSize = tiles.ySize = 16
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.tiledimage, "tiles": tiles}
    OpenEXR.File(header, dict(channels)).write(str(path))


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
    write_tiled(tmp_path / "tiles.exr", good)
    read_damaged(tmp_path, f"{fault_seed}", times(360, 6_000), tally)


@pytest.mark.timeout(3600)
def test_damaged_pictures(tmp_path, fault_seed, times, tally):
    """The same for every format and mode of source frames, styles, guides and reference pictures."""
    for name, content in picture_files().items():
        (tmp_path / name).write_bytes(content)
    read_damaged(tmp_path, f"{fault_seed}", times(300, 6_000), tally)


def refused(path: Path, *words: str) -> None:
    """Reading passes fails with one line that names the file, the remedy and these words."""
    with pytest.raises(PassError) as caught:
        read_passes(path, CHANNELS, width=WIDTH, height=HEIGHT)
    assert is_refusal(str(caught.value), str(path), "capture the frame again", *words), caught.value


@pytest.mark.parametrize("parts", [False, True])
def test_every_length(good, tmp_path, times, tally, parts):
    """Cut after every byte of the head and at places of the rest: always told as such."""
    path = tmp_path / "0002.exr"
    write_exr_parts(path, good) if parts else write_exr(path, good, OpenEXR.PIZ_COMPRESSION)
    content = path.read_bytes()
    for length in [*range(0, 4000, times(67, 1)), *range(4000, len(content), times(4001, 97)), len(content) - 1]:
        path.write_bytes(content[:length])
        with tried(tally, "truncated EXR file"):
            refused(path, "truncated")


def window(content: bytes, name: bytes, box: tuple[int, int, int, int]) -> bytes:
    """The content of an EXR file that declares another window."""
    at = content.index(name + b"\0box2i\0") + len(name) + 7 + 4
    return content[:at] + struct.pack("<4i", *box) + content[at + 16 :]


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 2**31 - 1, 2**31 - 1), (-(2**31), -(2**31), 2**31 - 1, 2**31 - 1), (0, 0, 65_535, 65_535), (5, 5, 4, 4),
        (0, 0, -1, -1), (0, 0, WIDTH, HEIGHT - 1), (7, 3, WIDTH + 6, HEIGHT + 2), (0, 0, 0, 2**31 - 2),
    ],
)  # fmt: skip
def test_declared_windows(good, tmp_path, tally, box):
    """Windows that are huge, empty, turned round or displaced are refused from the head, before room is made."""
    path = tmp_path / "0002.exr"
    write_exr(path, good, OpenEXR.ZIP_COMPRESSION)
    with tried(tally, "EXR file that declares another window"):
        started_at = time.monotonic()
        path.write_bytes(window(path.read_bytes(), b"dataWindow", box))
        refused(path)
        assert time.monotonic() - started_at < 5.0


def test_other_makes(good, tmp_path, tally):
    """Half floats, tiles, deep pixels, other sizes and names: what cannot be exact says so, the rest is read."""
    path = tmp_path / "0002.exr"
    halves = {name: plane if "Crypto" in name else plane.astype(np.float16) for name, plane in good.items()}
    halves["exact.Depth.Z"] = good["exact.Depth.Z"]  # the background's is too far away for a half
    write_exr(path, halves, OpenEXR.ZIP_COMPRESSION)
    with tried(tally, "EXR file of another make"):
        read_passes(path, CHANNELS, width=WIDTH, height=HEIGHT)
    small = {name: np.ascontiguousarray(plane[::2, ::2]) for name, plane in good.items()}
    write_exr(path, small, OpenEXR.ZIP_COMPRESSION)
    with tried(tally, "EXR file of another make"):
        refused(path, f"{WIDTH // 2}x{HEIGHT // 2}", f"{WIDTH}x{HEIGHT}")
    write_exr(path, {name.replace("exact.", "other."): plane for name, plane in good.items()}, OpenEXR.ZIP_COMPRESSION)
    with tried(tally, "EXR file of another make"):
        refused(path, "other.Depth.Z")
    write_tiled(path, good)
    with tried(tally, "EXR file of another make"):
        found = read_passes(path, CHANNELS, width=WIDTH, height=HEIGHT)
        np.testing.assert_array_equal(found.depth, good["exact.Depth.Z"])
    content = bytearray(path.read_bytes())
    content[5] |= 0x08  # the bit of deep pixels
    path.write_bytes(content)
    with tried(tally, "EXR file of another make"):
        refused(path, "deep")


def test_parts_in_any_order_read_the_same(good, tmp_path, fault_seed, times, tally):
    """Order of parts and of channels tells nothing; names do."""
    path = tmp_path / "0002.exr"
    expected = read_of(path, good)
    dice = random.Random(fault_seed)
    for _ in range(times(3, 20)):
        order = list(good)
        dice.shuffle(order)
        with tried(tally, "EXR parts in another order"):
            write_exr_parts(path, {name: good[name] for name in order})
            found = read_passes(path, CHANNELS, width=WIDTH, height=HEIGHT)
            for name, array in vars(expected).items():
                np.testing.assert_array_equal(getattr(found, name), array)


def read_of(path: Path, channels: dict[str, np.ndarray]):
    write_exr(path, channels, OpenEXR.ZIP_COMPRESSION)
    return read_passes(path, CHANNELS, width=WIDTH, height=HEIGHT)


@pytest.mark.parametrize("read", [read_png, read_still])
def test_pictures_made_to_fill_memory(tmp_path, tally, read):
    """A small file that declares, or unpacks to, gigapixels is refused from its head; text without end is not read."""
    path = tmp_path / "0001.png"

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def png(width: int, height: int, *chunks: bytes, depth: int = 8) -> bytes:
        header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")

    zeros = zlib.compress(bytes(200_000_000), 9)
    bombs = [
        png(2**31 - 1, 2**31 - 1),
        png(13_000, 13_000, chunk(b"IDAT", zeros)),
        png(WIDTH, HEIGHT, chunk(b"IDAT", zeros), depth=16),
        png(WIDTH, HEIGHT, chunk(b"zTXt", b"Comment\0\0" + zeros), chunk(b"IDAT", b"")),
        png(WIDTH, HEIGHT, chunk(b"iCCP", b"profile\0\0" + zeros), chunk(b"IDAT", b"")),
        png(WIDTH, HEIGHT, *[chunk(b"tEXt", b"k\0" + b"v" * 10)] * 50_000),
        png(0, 0),
    ]
    for content in bombs:
        path.write_bytes(content)
        before = peak()
        with tried(tally, "picture made to fill memory"):
            try:
                assert read(path, width=WIDTH, height=HEIGHT).shape == (HEIGHT, WIDTH, 3)
            except PassError as error:
                assert is_refusal(str(error), str(path))
            assert peak() - before < 300 << 20


def peak() -> int:
    """Most memory that this process has had [bytes]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("read", [read_png, read_still])
@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\n(mark) (w) file closefile\n", b"GIF89a" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg' width='64'/>", b"8BPS" + bytes(100), b"SIMPLE  =" + bytes(99),
        b"\x76\x2f\x31\x01" + bytes(100), b"#!/bin/sh\ntouch mark\n", b"P6\n64 48\n255\n" + bytes(64 * 48 * 3), b"",
    ],
)  # fmt: skip
def test_no_other_format(tmp_path, tally, read, content):
    """Formats that frames do not come in are not even tried, some of which start a program."""
    path = tmp_path / "0001.png"
    path.write_bytes(content)
    with tried(tally, "picture of another format"), pytest.raises(PassError) as caught:
        read(path, width=WIDTH, height=HEIGHT)
    assert is_refusal(str(caught.value), str(path)) and [entry.name for entry in tmp_path.iterdir()] == ["0001.png"]


def test_a_pipe_is_no_picture(tmp_path, tally):
    """Nobody waits for it."""
    for name in ("0001.png", "0001.exr"):
        os.mkfifo(tmp_path / name)
    with tried(tally, "pipe in place of a frame"):
        for read in (read_png, read_still):
            with pytest.raises(PassError, match="no such file"):
                read(tmp_path / "0001.png", width=WIDTH, height=HEIGHT)
        refused(tmp_path / "0001.exr", "no such file")


SIZE = (32, 16)
"""Of the frames of the jobs below [px]."""


def passes_wrong(what: str):
    """A fault: the passes of frame 2 with other numbers in them."""

    def apply(job_dir: Path) -> None:
        path = job_dir / "passes" / "0002.exr"
        with OpenEXR.File(str(path), separate_channels=True) as file:
            found = {name: np.array(channel.pixels) for name, channel in file.channels().items()}
        names = {"depth": "exact.Depth.Z", "vector": "exact.Vector.X", "normal": "exact.Normal.X"}
        match what.split():
            case ["NaN", name]:
                found[names[name]][3, 5] = np.nan
            case ["infinite", name]:
                found[names[name]][3, 5] = np.inf
            case ["negative", "depth"]:
                found["exact.Depth.Z"] *= -1
            case ["zero", "depth"]:
                found["exact.Depth.Z"][:8] = 0
            case ["other", "camera"]:
                for axis in "XYZ":
                    found[f"exact.Position.{axis}"] += 1.5
            case ["half", "ids"]:
                found["exact.CryptoObject00.r"] = found["exact.CryptoObject00.r"].astype(np.float16)
        write_exr(path, found, OpenEXR.ZIP_COMPRESSION)

    return apply


def job_wrong(change):
    """A fault: the job file, or what lies beside it, does not belong to the rest."""

    def apply(job_dir: Path) -> None:
        job = load_job(job_dir)
        save_job(replace(job, shot=change(job.shot)), job_dir)

    return apply


def moved(shot):
    """Every camera elsewhere in the world."""

    def elsewhere(matrix):
        first, *others = matrix
        return ((*first[:3], first[3] + 2.0), *others)

    return replace(shot, cameras=tuple(replace(c, world_to_camera=elsewhere(c.world_to_camera)) for c in shot.cameras))


def all_cameras(scale: float):
    """Every projection a multiple of what it was."""

    def change(shot):
        return replace(
            shot,
            cameras=tuple(
                replace(c, projection=tuple((*(v * scale for v in row[:3]), row[3]) for row in c.projection))
                for c in shot.cameras
            ),
        )

    return change


def huge_matrices(job_dir: Path) -> None:
    for path in (job_dir / "passes").glob("*.objects.json"):
        save_objects({id: ((1e300,) * 4,) * 4 for id in load_objects(path)}, path)


def replaced(name: str, content: bytes):
    def apply(job_dir: Path) -> None:
        (job_dir / name).write_bytes(content)

    return apply


def removed(name: str):
    def apply(job_dir: Path) -> None:
        (job_dir / name).unlink()

    return apply


def picture_of(size: tuple[int, int], mode: str = "RGB"):
    def apply(job_dir: Path) -> None:
        Image.new(mode, size).save(job_dir / "source" / "0002.png")

    return apply


FAULTS = {
    **{what: passes_wrong(what) for what in (
        "NaN depth", "NaN vector", "infinite normal", "infinite depth", "negative depth", "zero depth", "other camera",
        "half ids",
    )},
    "cameras in another place": job_wrong(moved),
    "cameras of another lens": job_wrong(all_cameras(3.0)),
    "cameras that project nothing": job_wrong(all_cameras(0.0)),
    "cameras without end": job_wrong(all_cameras(1e200)),
    "samples elsewhere": job_wrong(lambda shot: replace(shot, sample_offset=(1e300, -40.0))),
    "background everywhere": job_wrong(lambda shot: replace(shot, background_depth=1e-300)),
    "a larger shot": job_wrong(lambda shot: replace(shot, width=65_536, height=65_536)),
    "a smaller shot": job_wrong(lambda shot: replace(shot, width=16, height=16)),
    "channels that are not there": job_wrong(
        lambda shot: replace(shot, channels={**shot.channels, "depth": ("two\nlines\x1b[2J",)})
    ),
    "one frame more": job_wrong(
        lambda shot: replace(
            shot, frames=(1, 2, 3), pass_frames=(1, 2, 3), cameras=(*shot.cameras, replace(shot.cameras[0], frame=3))
        )
    ),
    "a frame removed": removed("source/0002.png"),
    "passes removed": removed("passes/0001.exr"),
    "matrices removed": removed("passes/0002.objects.json"),
    "a frame that is a text": replaced("source/0001.png", b"a text"),
    "passes that are a text": replaced("passes/0001.exr", b"a text"),
    "a journal that is a text": replaced("journal.jsonl", b"a text\n"),
    "a frame of another size": picture_of((64, 48)),
    "a frame of a pixel": picture_of((1, 1)),
    "a frame of real numbers": replaced("source/0002.png", b"II*\0"),
}  # fmt: skip
HARMLESS = {
    "matrices without end, which no motion agrees with": huge_matrices,
    "a grey frame": picture_of(SIZE, "L"),
    "a frame with alpha": picture_of(SIZE, "RGBA"),
    "a frame of 16 bits": picture_of(SIZE, "I;16"),
}
"""What is read like any other."""


@pytest.mark.timeout(1800)
def test_a_job_with_wrong_files(tiny_model, tmp_path, fault_seed, times, tally):
    """Each is refused in one sentence that names a file, in the worker that serves on; the folder is left as it was."""
    names = random.Random(fault_seed).sample(list(FAULTS), times(10, len(FAULTS)))
    with Served() as worker:
        for name in names:
            folder = tmp_path / name / "job"
            write_job_folder(folder, model=tiny_model, frames=2, scene=demo_scene(*SIZE), steps=2)
            FAULTS[name](folder)
            before = tree(folder / "source", folder / "passes")
            with tried(tally, "job with a wrong file"):
                told = worker.run(folder)
                assert told.kind == "bad_job" and is_refusal(told.message), (name, told)
                assert str(folder) in told.message or "job.json" in told.message, (name, told)
                assert tree(folder / "source", folder / "passes") == before
                assert [path.name for path in (tmp_path / name).iterdir()] == ["job"]
        for name in list(HARMLESS)[: times(1, 3)]:
            folder = tmp_path / name
            write_job_folder(folder, model=tiny_model, frames=2, scene=demo_scene(*SIZE), steps=2)
            HARMLESS[name](folder)
            with tried(tally, "job with an unusual file"):
                assert worker.run(folder).is_done, name
