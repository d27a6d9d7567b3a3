"""The two decorators of all compiled code, and the cache that knows every source file."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core.caching import FunctionCache

P = ParamSpec("P")
R = TypeVar("R")

_OPTIONS = {"forceinline": True, "nogil": True, "error_model": "numpy", "fastmath": False}


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


def _compile(function: Callable[P, R], *, parallel: bool) -> Callable[P, R]:
    compiled = numba.njit(parallel=parallel, **_OPTIONS)(function)
    if compiled is not function:  # false when NUMBA_DISABLE_JIT=1
        compiled._cache = _SourceKeyedCache(function)
    return cast(Callable[P, R], compiled)


def device_fn(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that serves one environment (never called from Python in a hot path)."""
    return cast(Callable[P, R], numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(function))


def batch_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel whose outermost loop is `prange` over environments, and cache it on disk."""
    return _compile(function, parallel=True)
