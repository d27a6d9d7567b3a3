"""Makes device functions callable from tests: they are compiled without an entry from Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def from_python(function: Callable[P, R]) -> Callable[P, R]:
    """A compiled door to a device function; the function itself when the JIT is off."""

    @numba.njit
    def door(*args: Any) -> Any:  # Any: Numba infers the types
        return function(*args)

    return cast(Callable[P, R], door)
