"""Arrays as one small blob: rounded to what a picture shows, as differences, compressed.

Positions, poses and shares are rounded to whole steps and stored as int16. Floats without a step
stay float32 and are exact, as are integers and booleans. Integers are stored as differences along
one axis. All bytes of equal weight stand together, which compresses better.
`assets/decode.js` is the reader.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Entry", "pack", "unpack"]

_STEPS = {
    "camera_xy": 2.0**-4,  # terrain units
    "camera_radius": 2.0**-4,
    "obstacle_xy": 2.0**-4,
    "obstacle_radius": 2.0**-4,
    "target_xy": 2.0**-4,
    "track_xy": 2.0**-4,
    "particle_xy": 1.0,
    "camera_pose": 2.0**-5,  # degrees, terrain units
    "search_deg": 2.0**-5,
    "slow_probs": 2.0**-14,
    "fast_probs": 2.0**-14,
}
"""How exact each array is; the step doubles until its largest value fits."""

_PARTICLE_AXIS = 3  # particles of a set lie near each other: their differences are small
_NAN = -(2**15)
_LARGEST = 2**15 - 1


class Entry(NamedTuple):
    """How one array is stored; a JSON list in the page."""

    name: str
    kind: str  # "float", "int" or "bool": what it is
    code: str  # NumPy's name of what is stored: f4, i1, i2, i4 or u1
    shape: tuple[int, ...]
    step: float  # value of 1, for rounded floats; 0: not rounded
    axis: int  # of the differences; -1: none


def pack(arrays: Mapping[str, NDArray[Any]]) -> tuple[list[Entry], bytes]:
    """Return how arrays are stored, in order, and the compressed blob.

    Raises:
        ValueError: an array is neither of floats, integers nor booleans; an integer does not fit in
            32 bits; a rounded array holds an infinity.
    """
    entries, parts = [], []
    for name, array in arrays.items():
        entry, stored = _encode(name, np.asarray(array))
        entries.append(entry)
        parts.append(_planes(stored))
    return entries, zlib.compress(b"".join(parts), level=9)


def unpack(entries: Sequence[Entry], blob: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays that `pack` was given: float32, int32 and bool; NaN stays NaN.

    Raises:
        ValueError: the blob holds more or less than the entries say.
        zlib.error: the blob is damaged.
    """
    data = zlib.decompress(blob)
    arrays, start = {}, 0
    for each in entries:
        entry = Entry(*each)
        dtype = np.dtype(entry.code).newbyteorder("<")
        count = int(np.prod(entry.shape, dtype=np.int64))
        end = start + count * dtype.itemsize
        if end > len(data):
            raise ValueError(f"{entry.name}: the blob ends after {len(data)} bytes, not {end}")
        planes = np.frombuffer(data[start:end], np.uint8).reshape(dtype.itemsize, count)
        stored = np.ascontiguousarray(planes.T).reshape(-1).view(dtype).reshape(entry.shape)
        arrays[entry.name] = _decode(entry, stored)
        start = end
    if start != len(data):
        raise ValueError(f"{len(data)} bytes in the blob; expected {start}")
    return arrays


def _encode(name: str, array: NDArray[Any]) -> tuple[Entry, NDArray[Any]]:
    shape = tuple(int(n) for n in array.shape)
    if array.dtype.kind == "b":
        return Entry(name, "bool", "u1", shape, 0.0, -1), array.astype("<u1")
    axis = min(_PARTICLE_AXIS if name.startswith("particle_") else 0, array.ndim - 1)
    if array.dtype.kind in "iu":
        stored = _smallest(name, array)
        return Entry(name, "int", stored.dtype.str[1:], shape, 0.0, axis), _differences(
            stored, axis
        )
    if array.dtype.kind != "f":
        raise ValueError(f"{name} has dtype {array.dtype}; expected floats, integers or booleans")
    if name not in _STEPS:
        return Entry(name, "float", "f4", shape, 0.0, -1), array.astype("<f4")
    step, stored = _rounded(name, array.astype(np.float64))
    return Entry(name, "float", "i2", shape, step, axis), _differences(stored, axis)


def _decode(entry: Entry, stored: NDArray[Any]) -> NDArray[Any]:
    if entry.kind == "bool":
        return stored.astype(np.bool_)
    if entry.axis >= 0:
        stored = np.cumsum(stored, axis=entry.axis, dtype=stored.dtype)
    if entry.kind == "int":
        return stored.astype(np.int32)
    if not entry.step:
        return stored.astype(np.float32)
    return np.where(stored == _NAN, np.nan, stored * entry.step).astype(np.float32)


def _rounded(name: str, array: NDArray[np.float64]) -> tuple[float, NDArray[np.int16]]:
    """Return the step and the array in whole steps; NaN is the smallest int16."""
    if np.isinf(array).any():
        raise ValueError(f"{name} holds an infinity; expected numbers or NaN")
    step = _STEPS[name]
    largest = float(np.max(np.abs(np.nan_to_num(array)), initial=0.0))
    while largest > step * _LARGEST:
        step *= 2.0
    return step, np.where(np.isnan(array), _NAN, np.rint(array / step)).astype("<i2")


def _smallest(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return integers in the smallest type that holds them."""
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    for code in ("<i1", "<i2", "<i4"):
        limits = np.iinfo(code)
        if limits.min <= low and high <= limits.max:
            return array.astype(code)
    raise ValueError(f"{name} holds integers from {low} to {high}; expected at most 32 bits")


def _differences(array: NDArray[Any], axis: int) -> NDArray[Any]:
    """Return differences along an axis; they wrap around, and so does their sum."""
    if axis < 0 or array.size == 0:
        return array
    first = np.take(array, [0], axis=axis)
    return np.concatenate([first, np.diff(array, axis=axis)], axis=axis)


def _planes(array: NDArray[Any]) -> bytes:
    """Return all first bytes, then all second bytes, and so on."""
    as_bytes = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return as_bytes.reshape(-1, array.dtype.itemsize).T.tobytes()
