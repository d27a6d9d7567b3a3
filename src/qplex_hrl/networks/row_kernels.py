"""How the networks' own loops over rows are compiled and called; each says what it computes."""

import functools
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, cast

import numba
import torch

P = ParamSpec("P")
R = TypeVar("R")


def kernels_serve(*tensors: torch.Tensor) -> bool:
    """Tell whether the kernels take these tensors: float32 on the CPU, and no trace is recorded.

    A trace, such as an export to ONNX, holds PyTorch's own operations only.
    """
    served = all(each.device.type == "cpu" and each.dtype == torch.float32 for each in tensors)
    return served and torch._C._get_tracing_state() is None


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


def row_operator(name: str) -> Callable[[Callable[P, R]], "RowOperator[P, R]"]:
    """Return a decorator that makes a function of tensors an operator of PyTorch, ``RowOperator``.

    Args:
        name: of the operator, without its namespace.
    """

    def registered(function: Callable[P, R]) -> "RowOperator[P, R]":
        return RowOperator(name, function)

    return registered


class RowOperator(Generic[P, R]):
    """A function of tensors that torch.compile does not look into, and that may have a gradient.

    Where nothing is recorded, the function is called directly. That saves 25 to 40 microseconds,
    much of a decision of few cameras.
    """

    def __init__(self, name: str, function: Callable[P, R]) -> None:
        """Register the operator ``qplex_hrl::name``; the function must not change its arguments."""
        self._function = function
        self.operator = torch.library.custom_op(f"qplex_hrl::{name}", function, mutates_args=())
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the function returns."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return cast(R, self.operator(*args, **kwargs))
        return self._function(*args, **kwargs)
