"""What exact motion saves: an exact remap of a pair of frames beside a patch match of the same pair, same threads.

The exact remap is measured twice. With the walk: from one frame to the other by motion, visibility, and the gather
along it, all from scratch; what is prepared once a frame (motion, tolerances, edges) is prepared for both frames.
Through links: the gather alone, along what a clip finds once and keeps, as in every denoising step after the first.
A patch match has nothing to keep: the paper repeats it at every step, since it matches the frames themselves. It has
the product's default settings and the guides' colours, and includes its vote; the paper's has the paper's settings.
"""

import warp as wp

from diffsynth_blender.bands import Bands
from diffsynth_blender.blending.frame_cache import FrameCache, frame_pool
from diffsynth_blender.blending.gather import ALL_TAPS, gather
from diffsynth_blender.blending.link_finder import ExactFinder
from diffsynth_blender.blending.links import Link, link_place
from diffsynth_blender.blending.plan import LinkRequest
from diffsynth_blender.patchmatch.matcher import PatchMatcher
from tests.benchmarks.common import paired, ratio, spread, write_bench
from tests.benchmarks.paper_matching import Remapper
from tests.reference.clips import clip_of, pictures_of
from tests.reference.scene import demo_scene

wp.set_module_options({"enable_backward": False})

SIZE = (960, 540)
FAR = 7


@wp.kernel
def gather_traced(
    # In:
    first_row: int,
    frames: wp.array3d[wp.vec3],
    slot: int,
    trace: wp.array2d[wp.vec4],
    # Out:
    frame_out: wp.array2d[wp.vec3],
) -> None:
    """Read a frame along a trace; where nothing is visible the colour is 0."""
    row, first = wp.tid()
    y = first_row + row
    for x in range(first, frame_out.shape[1]):
        place = trace[y, x]
        colour = wp.vec3(0.0)
        if place[3] > 0.0:
            colour = gather(frames, slot, place[0], place[1], ALL_TAPS)
        frame_out[y, x] = colour


@wp.kernel
def gather_linked(
    # In:
    first_row: int,
    frames: wp.array3d[wp.vec3],
    slot: int,
    links: wp.array2d[Link],
    # Out:
    frame_out: wp.array2d[wp.vec3],
) -> None:
    """Read a frame through links; where nothing is visible the colour is 0."""
    row, first = wp.tid()
    y = first_row + row
    for x in range(first, frame_out.shape[1]):
        link = links[y, x]
        colour = wp.vec3(0.0)
        if link.weight != wp.uint8(0):
            place = link_place(link, x, y)
            colour = gather(frames, slot, place[0], place[1], int(link.taps))
        frame_out[y, x] = colour


def main() -> None:
    """Measure and write remap.json."""
    scene = demo_scene(*SIZE)
    numbers = list(range(1, FAR + 2))
    pictures = pictures_of(scene, numbers)
    clip = clip_of(scene, numbers, device="cpu")
    clip.reserve(FAR)
    bands: Bands = clip.bands
    matcher = PatchMatcher(bands)
    frames = wp.array(pictures, dtype=wp.vec3, device=bands.device)
    remapped = wp.empty(SIZE[::-1], dtype=wp.vec3, device=bands.device)

    def exact(source: int) -> None:
        ((_, trace),) = clip.traces(0, (source,))
        bands.launch(gather_traced, SIZE[::-1], [frames, source, trace], [remapped], whole_rows=True)

    guides = FrameCache(pictures.__getitem__, frame_pool(2, *SIZE[::-1], bands.device), 2)
    finder = ExactFinder(clip, guides, robust=True, repair=False)
    links = finder.find(LinkRequest(0, (1,)))[0]

    def through_links() -> None:
        bands.launch(gather_linked, SIZE[::-1], [frames, 1, links], [remapped], whole_rows=True)

    def match() -> None:
        found = matcher.match(pictures[:1], pictures[1:2], weights=(1.0, 1.0, 1.0))
        matcher.vote(found.nnf, pictures[1:2])

    paper = Remapper(bands)
    size = "x".join(map(str, SIZE))
    near, far, linked, ours, papers = (
        f"{what}, {size}"
        for what in (
            "exact remap of a neighbour, walk and gather",
            f"exact remap over {FAR} frames, walk and gather",
            "exact remap of a neighbour, gather through links found before",
            "patch match",
            "the paper's match",
        )
    )
    sides = {near: lambda: exact(1), far: lambda: exact(FAR), linked: through_links, ours: match}
    sides[papers] = lambda: paper.remap(pictures[:2], pictures[1])
    seconds = paired(sides, repeats=5)
    write_bench(
        "remap",
        [spread(name, values) for name, values in seconds.items()],
        {
            "exact_remap_vs_patchmatch": ratio(seconds, ours, near),
            "exact_remap_through_links_vs_patchmatch": ratio(seconds, ours, linked),
            f"exact_remap_over_{FAR}_frames_vs_patchmatch": ratio(seconds, ours, far),
            "exact_remap_vs_the_papers_matching": ratio(seconds, papers, near),
        },
    )
