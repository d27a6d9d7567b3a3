"""The decorators of all compiled code, and the cache that knows every source file."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core.caching import FunctionCache

P = ParamSpec("P")
R = TypeVar("R")

_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": False}
_PRIVATE = _OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


@lru_cache(maxsize=1)
def source_digest() -> str:
    """Return a digest of all simulator sources: part of every cache key.

    Numba's own cache looks at the caller's file only, so that a change in a called function
    would go unnoticed and an old result would be served.
    """
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parent.parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


class _SourceKeyedCache(FunctionCache):  # type: ignore[misc]  # Numba is untyped
    """Numba's on-disk cache, with the digest of all simulator sources in its key."""

    def _index_key(self, sig: Any, codegen: Any) -> Any:  # Any: Numba's internal types
        return (*super()._index_key(sig, codegen), source_digest())


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
        compiled._cache = _SourceKeyedCache(function)
    return cast(Callable[P, R], compiled)
