"""A recorded episode: what happened, and what cameras believed and decided."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

__all__ = ["Recording"]


class Recording(NamedTuple):
    """One episode, frame by frame."""

    about: Mapping[str, Any]  # JSON values: who plays where
    arrays: Mapping[str, NDArray[Any]]
