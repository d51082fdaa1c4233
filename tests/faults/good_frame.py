"""A frame as Blender writes it, for tests that damage it."""

import numpy as np
import pytest

from tests.faults.fuzz_reader import HEIGHT, WIDTH
from tests.reference.exr_files import planes
from tests.reference.scene import demo_scene


@pytest.fixture
def good() -> dict[str, np.ndarray]:
    """What its EXR file holds, by channel."""
    return planes(demo_scene(WIDTH, HEIGHT).passes(2))
