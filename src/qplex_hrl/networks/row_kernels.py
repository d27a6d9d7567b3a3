"""How the networks' own loops over rows are compiled; what they compute stands beside each."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


# Any: options of Numba, which has no types for them.
def row_kernel(*freedoms: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that compiles for one thread, apart from the simulator's kernels.

    The result is kept on disk. Compiled code turns products with plain numbers into float64, so
    constants must be float32.

    Args:
        freedoms: of float arithmetic: "contract" joins a product and a sum, "reassoc" lets sums be
            made in vectors, in the compiler's order.
    """
    options: dict[str, Any] = {
        "nogil": True,
        "cache": True,
        "error_model": "numpy",
        "fastmath": set(freedoms),
        "_nrt": False,  # no reference counts, as in the simulator's kernels
    }

    def compiled(function: Callable[P, R]) -> Callable[P, R]:
        return cast(Callable[P, R], numba.njit(**options)(function))

    return compiled
