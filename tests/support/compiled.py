"""Makes device functions callable from tests: they are compiled without an entry from Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba

from camsim.compiled.jit import _SourceKeyedCache, source_digest

P = ParamSpec("P")
R = TypeVar("R")


class _DoorCache(_SourceKeyedCache):
    """Numba's on-disk cache of a door: its key is the function behind it, with all sources."""

    def __init__(self, door: Callable[..., Any], behind: Callable[..., Any]) -> None:
        super().__init__(door)  # type: ignore[no-untyped-call]
        self._behind = behind

    def _index_key(self, sig: Any, codegen: Any) -> Any:  # Any: Numba's internal types
        package = self._behind.__module__.partition(".")[0]
        name = f"{self._behind.__module__}.{self._behind.__name__}"
        return (sig, codegen.magic_tuple(), name, source_digest(package))


def from_python(function: Callable[P, R]) -> Callable[P, R]:
    """A compiled door to a device function; the function itself when the JIT is off.

    Kept on disk, for some take a minute to compile.
    """

    def door(*args: Any) -> Any:  # Any: Numba infers the types
        return function(*args)

    door.__qualname__ = f"door_to_{function.__name__}"  # the name of its files
    compiled = numba.njit(door)
    of_ours = function.__module__.partition(".")[0] in ("camsim", "camcontrol")
    if compiled is not door and of_ours:
        compiled._cache = _DoorCache(door, function)
    return cast(Callable[P, R], compiled)
