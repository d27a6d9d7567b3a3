"""Checks of values that come from a checkpoint, before anything uses them."""

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = [
    "MOST",
    "NotFiniteError",
    "check_tensor",
    "check_weights",
    "mapping_of",
    "number_of",
    "whole_number_of",
]

MOST = 10**15
"""Largest count in a file: more than any training has, and exact as a float."""


class NotFiniteError(ValueError):
    """Numbers that networks work with are not finite; the text is one line."""


def mapping_of(value: object, place: str) -> Mapping[str, object]:
    """Return a mapping with names as keys.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{place} is {_shown(value)}; expected a mapping")
    return value


def whole_number_of(value: object, place: str, most: int = MOST) -> int:
    """Return a whole number from 0 to ``most``.

    Raises:
        ValueError: it is something else.
    """
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{place} is {_shown(value)}; expected a whole number from 0 to {most}")
    return value


def number_of(value: object, place: str, most: float = MOST) -> float:
    """Return a number from 0 to ``most``.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{place} is {_shown(value)}; expected a number from 0 to {most:g}")
    return float(value)


def check_weights(value: object, own: Mapping[str, Tensor], place: str) -> None:
    """Check that tensors have the names, shapes and types of ours, and are finite.

    Raises:
        ValueError: they belong to another network, or one is no tensor.
    """
    stored = mapping_of(value, place)
    for name in sorted(stored.keys() | own.keys()):
        if name not in stored or name not in own:
            which = "is missing" if name in own else "is not of this network"
            raise ValueError(f"the saved weights belong to another network: {place}.{name} {which}")
        check_tensor(stored[name], own[name], f"{place}.{name}")


def check_tensor(value: object, own: Tensor, place: str) -> None:
    """Check that a tensor has the shape and type of ours, and is finite.

    Raises:
        ValueError: it has not, or it is no tensor.
    """
    if not isinstance(value, Tensor):
        raise ValueError(f"{place} is {_shown(value)}; expected a tensor")
    if value.shape != own.shape:
        raise ValueError(
            f"the saved weights belong to another network: {place} has shape "
            f"{list(value.shape)}; expected {list(own.shape)}"
        )
    if value.dtype != own.dtype:
        raise ValueError(f"{place} is of {value.dtype}; expected {own.dtype}")
    if value.is_floating_point() and not bool(torch.isfinite(value).all()):
        raise ValueError(f"{place} holds numbers that are not finite")


def _shown(value: object) -> str:
    if value is None or isinstance(value, bool | int | float | str):
        return f"{value!r:.40}"
    return f"of type {type(value).__name__}"
