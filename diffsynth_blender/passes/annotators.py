"""Controls estimated from pictures, where there are no passes to read them from.

The estimators are those of controlnet-aux, each imported only when it is chosen: its package imports all of them, and
with them torchvision, which not every machine can load. What an estimator would normalise for each frame by itself is
normalised over the clip here: a range of its own for every frame makes the control, and with it the result, flicker.
So there are two passes: `estimate` each frame, then `finish` each with the range of all.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..refusals import pass_refusal_on
from .controls import grey
from .errors import PassError
from .images import to_bytes

# Weights of estimators come as .pth files only. torch then reads numbers from them and refuses all else, as it does by
# itself unless somebody's environment says otherwise.
os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"

PACKAGE = "controlnet_aux"
STEP = 64
"""The estimators work on sizes that are multiples of this [px], and scale what is not."""


@dataclass(frozen=True)
class Annotator:
    """One estimator."""

    kind: str
    """The control it makes."""
    module: str
    """Module of controlnet-aux."""
    detector: str
    """Class in it."""
    value: str
    """What comes out: "picture" is used as it is; "inverse_depth", "depth" and "darkness" have no scale of their own
    and are normalised over the clip."""
    has_weights: bool = False
    """Whether it loads weights; their files are in the model table."""
    packages: tuple[str, ...] = ()
    """What it needs beyond the worker's requirements."""


ANNOTATORS: dict[str, Annotator] = {
    "canny": Annotator("canny", "canny", "CannyDetector", "picture"),
    "lineart_standard": Annotator("lineart", "lineart_standard", "LineartStandardDetector", "darkness"),
    "lineart": Annotator("lineart", "lineart", "LineartDetector", "picture", True),
    "lineart_anime": Annotator("lineart", "lineart_anime", "LineartAnimeDetector", "picture", True),
    "hed": Annotator("softedge", "hed", "HEDdetector", "picture", True),
    "pidi": Annotator("softedge", "pidi", "PidiNetDetector", "picture", True),
    "normalbae": Annotator("normal", "normalbae", "NormalBaeDetector", "picture", True, ("torchvision",)),
    "midas": Annotator("depth", "midas", "MidasDetector", "inverse_depth", True, ("torchvision", "timm")),
    "zoe": Annotator("depth", "zoe", "ZoeDetector", "depth", True, ("torchvision", "timm")),
}

WITHOUT_WEIGHTS = {"canny": "canny", "lineart": "lineart_standard"}
"""The estimator of a kind that runs everywhere."""


def annotators_of(kind: str) -> list[str]:
    """Names of the estimators that make a kind of control."""
    return [name for name, annotator in ANNOTATORS.items() if annotator.kind == kind]


class Estimator:
    """One estimator, loaded."""

    def __init__(self, name: str, folder: str = "", weights: Sequence[str] = (), device: str = "cpu") -> None:
        """Load it.

        Args:
            name: one of `ANNOTATORS`.
            folder: of the weights; "" where it needs none.
            weights: names of the files in the folder, where it needs some.
            device: torch's name of where networks run.

        Raises:
            PassError: its weights or a package it needs are not there; names them.
        """
        self.annotator = ANNOTATORS[name]
        for package in self.annotator.packages:
            _require(name, package)
        detector = getattr(submodule(self.annotator.module), self.annotator.detector)
        if not self.annotator.has_weights:
            self._detector = detector()
            return
        if not folder:
            raise PassError(
                f"annotator {name!r} needs weights ({', '.join(weights)}): "
                "set settings.annotators to the folder that holds them"
            )
        for file in weights:
            if not (Path(folder) / file).is_file():
                raise PassError(f"{Path(folder) / file}: no such file, annotator {name!r} needs it: copy it there")
        try:
            self._detector = detector.from_pretrained(folder).to(device)
        # Whatever torch.load makes of a damaged file.
        except Exception as error:
            pass_refusal_on(error)
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise PassError(
                f"{folder}: the weights of annotator {name!r} cannot be loaded ({reason}): copy them there again"
            ) from error

    def estimate(self, frame: np.ndarray) -> np.ndarray:
        """What it sees in a frame (H, W, 3) in [0, 1]: uint8 (H, W, 3) for a picture, else float32 (H, W)."""
        return _ESTIMATES[self.annotator.value](self._detector, to_bytes(frame))


def finish(value: str, estimate: np.ndarray, low: float, high: float) -> np.ndarray:
    """The control image of an estimate, float32 in [0, 1], shape (H, W, 3).

    Args:
        value: of the annotator.
        estimate: what `Estimator.estimate` returned.
        low: of the clip, see `clip_values`; not used for pictures.
        high: of the clip.
    """
    if value == "picture":
        return estimate.astype(np.float32) / np.float32(255.0)
    if value == "darkness":
        # As LineartStandardDetector, with the clip's median where it takes each frame's.
        return grey(estimate * (127.0 / 255.0) / max(16.0, high))
    inverse = 1.0 / np.maximum(estimate, 1e-6) if value == "depth" else estimate
    return grey((inverse - low) / (high - low) if high > low else np.ones_like(inverse))


def clip_values(value: str, estimate: np.ndarray) -> np.ndarray:
    """The values of a frame that the clip's range is taken from; of "darkness" those that are lines."""
    if value == "picture":
        return np.empty(0, np.float32)
    if value == "darkness":
        return estimate[estimate > 8.0]
    return (1.0 / np.maximum(estimate, 1e-6) if value == "depth" else estimate).ravel()


QUANTILES = {"darkness": (0.0, 0.5), "inverse_depth": (0.005, 0.995), "depth": (0.005, 0.995), "picture": (0.0, 1.0)}
"""Which shares of a clip's values lie below its low and its high."""


def shuffle(picture: np.ndarray, height: int, width: int, *, seed: int) -> np.ndarray:
    """The contents of a picture (H', W', 3) in [0, 1] shuffled, (height, width, 3): its colours without its shapes.

    The same seed gives the same picture.
    """
    detector = submodule("shuffle").ContentShuffleDetector()
    cv2 = importlib.import_module("cv2")
    # It draws from numpy's one global stream, which is set for it and put back.
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        shuffled = detector(to_bytes(picture), output_type="np")
    finally:
        np.random.set_state(state)
    shuffled = cv2.resize(shuffled, (width, height), interpolation=cv2.INTER_LINEAR)
    return shuffled.astype(np.float32) / np.float32(255.0)


def submodule(name: str) -> types.ModuleType:
    """A module of controlnet-aux without the rest of it. Raises PassError where it cannot be imported, with the cause.

    Its package imports every estimator when it is imported; an empty one of the same name and place stands in.
    """
    if PACKAGE not in sys.modules:
        found = importlib.util.find_spec(PACKAGE)
        if found is None:
            raise PassError(f"annotators need the package {PACKAGE.replace('_', '-')}: install it")
        stand_in = types.ModuleType(PACKAGE)
        stand_in.__path__ = list(found.submodule_search_locations or ())
        sys.modules[PACKAGE] = stand_in
    try:
        return importlib.import_module(f"{PACKAGE}.{name}")
    # torchvision built for another torch raises RuntimeError.
    except (ImportError, RuntimeError) as error:
        raise PassError(f"annotator module {name!r} cannot be imported: {' '.join(str(error).split())}") from error


def _require(name: str, package: str) -> None:
    try:
        importlib.import_module(package)
    except (ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise PassError(
            f"annotator {name!r} needs {package}, which cannot be imported here ({reason}): "
            "choose another annotator, or control"
        ) from error


def _picture(detector: Any, frame: np.ndarray) -> np.ndarray:
    height, width, _ = frame.shape
    # Made a multiple of STEP by repeating the border, so that nothing is scaled.
    frame = np.pad(frame, ((0, -height % STEP), (0, -width % STEP), (0, 0)), mode="edge")
    side = min(frame.shape[:2])
    found = detector(frame, detect_resolution=side, image_resolution=side, output_type="np")
    return np.ascontiguousarray(found[:height, :width])


def _darkness(_: Any, frame: np.ndarray) -> np.ndarray:
    """How much darker a pixel is than around it [0, 255]: LineartStandardDetector before it normalises."""
    cv2 = importlib.import_module("cv2")
    values = frame.astype(np.float32)
    around = cv2.GaussianBlur(values, (0, 0), 6.0)
    return np.min(around - values, axis=2).clip(0, 255)


def _depth(
    detector: Any, frame: np.ndarray, infer: Callable[[Any, Any], Any], scale: float, shift: float
) -> np.ndarray:
    """A depth network's own numbers, which its detector would normalise for each frame."""
    cv2, torch = importlib.import_module("cv2"), importlib.import_module("torch")
    small = submodule("util").resize_image(frame, 512)
    device = next(detector.model.parameters()).device
    with torch.no_grad():
        planes = torch.from_numpy(small).permute(2, 0, 1)[None].float().to(device) * scale + shift
        depth = infer(detector.model, planes).float().cpu().numpy()
    return cv2.resize(depth, frame.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _inverse_depth(detector: Any, frame: np.ndarray) -> np.ndarray:
    return _depth(detector, frame, lambda model, planes: model(planes)[0], 1 / 127.5, -1.0)


def _metric_depth(detector: Any, frame: np.ndarray) -> np.ndarray:
    return _depth(detector, frame, lambda model, planes: model.infer(planes)[0, 0], 1 / 255.0, 0.0)


_ESTIMATES: dict[str, Callable[[Any, np.ndarray], np.ndarray]] = {
    "picture": _picture,
    "darkness": _darkness,
    "inverse_depth": _inverse_depth,
    "depth": _metric_depth,
}
