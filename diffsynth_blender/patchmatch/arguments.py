"""What a caller hands in, checked and brought to the device in the shapes that the kernels use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import warp as wp

from .options import MAX_SIDE

MAX_CHANNELS = 16
"""Most guide channels; more would be a mistake in the axes sooner than a wish."""


def components(dtype: type) -> tuple[type, int]:
    """Return what an element of a Warp array is made of: the scalar type and how many of it."""
    return getattr(dtype, "_wp_scalar_type_", dtype), getattr(dtype, "_length_", 1)


def on_device(value: np.ndarray | wp.array, dtype: type, shape: tuple[int, ...], device: wp.Device) -> wp.array:
    """Return `value` as a Warp array of `dtype` and `shape`; nothing is copied on the device itself."""
    if isinstance(value, wp.array):
        view = wp.array(ptr=value.ptr, dtype=dtype, shape=shape, device=device, capacity=value.capacity)
        # The view does not own the memory: the owner must live as long.
        view._ref = value
        return view
    scalar, length = components(dtype)
    plain = np.ascontiguousarray(value, wp.dtype_to_numpy(scalar)).reshape((*shape, length) if length > 1 else shape)
    return wp.array(plain, dtype=dtype, device=device, copy=False)


def scalar_shape(value: np.ndarray | wp.array, name: str, scalar: type, device: wp.Device) -> tuple[int, ...]:
    """Return the shape, components of Warp vectors as a last axis.

    Raises:
        ValueError: another type of element, another device, or a Warp array with gaps.
    """
    if not isinstance(value, wp.array):
        if value.dtype != wp.dtype_to_numpy(scalar):
            raise ValueError(f"{name} must be {np.dtype(wp.dtype_to_numpy(scalar))}, got {value.dtype}")
        return value.shape
    if value.device != device:
        raise ValueError(f"{name} is on {value.device}, the matcher on {device}")
    if not value.is_contiguous:
        raise ValueError(f"{name} has gaps between its elements; pass {name}.contiguous()")
    found, length = components(value.dtype)
    if found != scalar:
        raise ValueError(f"{name} must hold {scalar.__name__}, got {value.dtype.__name__}")
    return (*value.shape, length) if length > 1 else tuple(value.shape)


def guides_shape(value: np.ndarray | wp.array, name: str, device: wp.Device) -> tuple[int, int, int, int]:
    """Return (B, H, W, C) of guides.

    Raises:
        ValueError: they are no guides.
    """
    shape = scalar_shape(value, name, wp.float32, device)
    if len(shape) != 4 or min(shape) < 1:
        raise ValueError(f"{name} must have shape (B, H, W, C), nothing of it 0, got {shape}")
    if not shape[3] <= MAX_CHANNELS:
        raise ValueError(f"{name} may have up to {MAX_CHANNELS} channels, got {shape[3]}")
    if max(shape[1:3]) > MAX_SIDE:
        raise ValueError(f"{name} may have sides up to {MAX_SIDE} px, got {shape[1:3]}")
    if shape[0] * shape[1] * shape[2] * ((shape[3] + 3) // 4) >= 2**31:
        raise ValueError(f"{name} may hold up to 2**31 vec4, got {shape}; match fewer pairs at a time")
    return shape


def require_shape(
    value: np.ndarray | wp.array, name: str, scalar: type, shape: tuple[int, ...], device: wp.Device
) -> None:
    """Raise ValueError unless `value` holds `scalar` in this shape."""
    got = scalar_shape(value, name, scalar, device)
    if got != shape:
        raise ValueError(f"{name} must have shape {shape}, got {got}")


def factors(weights: Sequence[float], channels: int) -> np.ndarray:
    """Return what to multiply channels by so that their squared differences get these weights.

    Raises:
        ValueError: not one finite weight of 0 or more for each channel.
    """
    values = np.asarray(weights, np.float64)
    if values.shape != (channels,):
        raise ValueError(f"weights must be one number for each of {channels} channels, got {list(weights)}")
    if not (np.isfinite(values).all() and (values >= 0.0).all()):
        raise ValueError(f"weights must be finite and 0 or more, got {list(weights)}")
    return np.sqrt(values).astype(np.float32)
