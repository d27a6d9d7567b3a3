"""The decorators of all compiled code, and the cache that knows every source file."""

import hashlib
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numba.core.caching import FunctionCache

P = ParamSpec("P")
R = TypeVar("R")

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": False}
_PRIVATE = _OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
# _nrt: no reference counts. These functions borrow arrays and create none, and counting them
# atomically took half of the time of a frame with random cameras.


# Sources of records and constants that compiled code uses, without a compiled function.
_NAMED_CONSTANTS = (
    "action_set",
    "jit",
    "layout",
    "memory",
    "pose_scores",
    "spec",
    "state",
    "tables",
)


@cache
def source_digest(package: str = "camsim") -> str:
    """Return a digest of all sources that end up in compiled code: part of every cache key.

    Numba's own cache looks at the caller's file only, so that a change in a called function
    would go unnoticed and an old result would be served.

    Args:
        package: top-level package of the compiled function; those of camsim always count.
    """
    digest = hashlib.sha256()
    for name in sorted({"camsim", package}):
        root = Path(str(sys.modules[name].__file__)).resolve().parent
        for path in sorted(root.rglob("*.py")):
            source = path.read_bytes()
            if b"compiled.jit" in source or path.stem in _NAMED_CONSTANTS:
                place = path.relative_to(root.parent).as_posix()
                digest.update(place.encode() + b"\0" + source)
    return digest.hexdigest()


class _SourceKeyedCache(FunctionCache):
    """Numba's on-disk cache, with the digest of all compiled sources in its key."""

    def _index_key(self, sig: Any, codegen: Any) -> Any:  # Any: Numba's internal types
        key = super()._index_key(sig, codegen)  # type: ignore[no-untyped-call, unused-ignore]
        package = str(self._py_func.__module__).partition(".")[0]
        own = package if package == "camcontrol" else "camsim"
        return (*key, source_digest(own))

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # Any: as above
        """Return the stored kernel; none, and an empty index, if that names what is gone.

        Numba reads the index of a kernel before it looks at any key, and stops at a record type
        that has been renamed or moved since.
        """
        try:
            return super().load_overload(  # type: ignore[no-untyped-call, unused-ignore]
                sig, target_context
            )
        except (AttributeError, ImportError):
            self.flush()  # type: ignore[no-untyped-call, unused-ignore]
            return None


# Any, here and above: options and internals of Numba, whose types differ between its versions.
def device_fn(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that serves one environment into its callers.

    Always inlined: passing records of arrays to a call of its own costs more than most of these
    functions. Compiled code only may call it; tests call it through a `numba.njit` function.
    """
    return cast(Callable[P, R], numba.njit(forceinline=True, **_PRIVATE)(function))


def outlined_fn(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a large function apart from its callers: inlining all of them takes minutes."""
    return cast(Callable[P, R], numba.njit(**_PRIVATE)(function))


def batch_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel whose outermost loop is `prange` over environments, and cache it on disk."""
    compiled = numba.njit(parallel=True, **_OPTIONS)(function)
    if compiled is not function:  # false when NUMBA_DISABLE_JIT=1
        cache = _SourceKeyedCache(function)  # type: ignore[no-untyped-call, unused-ignore]
        compiled._cache = cache
    return cast(Callable[P, R], compiled)


@device_fn
def row(i: int) -> int:
    """Return a loop index of `prange` as the signed integer that device functions are compiled for.

    Numba makes such an index unsigned inside the loop and signed outside: without this, everything
    is compiled twice.
    """
    return np.int64(i)  # type: ignore[return-value]  # Numba's integers are NumPy's
