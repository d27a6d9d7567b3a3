"""Kinds and ranges of option values: one place for configuration files and for Python."""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class NumberRange(NamedTuple):
    """Values that a numeric option may have, both ends included."""

    low: float
    high: float
    whole: bool = True  # integers only

    def check(self, key: str, value: object) -> None:
        """Check one value; booleans are no numbers.

        Raises:
            ValueError: it is of another kind, not finite or out of range.
        """
        kinds = (int, np.integer) if self.whole else (int, float, np.integer, np.floating)
        number = isinstance(value, kinds) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high:  # type: ignore[operator]
            raise ValueError(f"{key} = {shortened(value)}; expected {self}")

    def __str__(self) -> str:
        """Return the words of an error message."""
        return f"{'an integer' if self.whole else 'a number'} from {self.low} to {self.high}"


NUM_ENVS = NumberRange(1, 2**16)  # a thousand times the shipped number: memory ends before
MAX_EPISODE_STEPS = NumberRange(1, 10**7)  # a thousand times MATE's; frame numbers stay exact
FRAMES = NumberRange(0, 10**7)  # of one call, which no signal ends: minutes
MESSAGE_LOSS = NumberRange(0, 1, whole=False)  # a chance
MIN_BASELINE_DEG = NumberRange(0, 180, whole=False)  # an angle between two directions
ACTION_LEVELS = NumberRange(3, 255)  # a grid of 65,025 actions; odd, so that one is no motion
COEFFICIENT = NumberRange(-(10**6), 10**6, whole=False)  # rewards and their sums stay exact enough
DISCOUNT = NumberRange(0, 1, whole=False)  # 1: undiscounted
SEED = NumberRange(0, 2**64 - 1)  # one word of the random streams


def is_whole(value: object) -> bool:
    """Tell whether a value is an integer; booleans are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_flags(flags: Iterable[tuple[str, object]]) -> None:
    """Check that named values are True or False.

    Raises:
        ValueError: one is not, such as "no" or 0.
    """
    for key, value in flags:
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{key} = {shortened(value)}; expected True or False")


def checked_rows(key: str, flags: object, n: int) -> NDArray[np.bool_]:
    """Return flags that mark environments, as an array.

    Raises:
        ValueError: they are not one flag [n] per environment.
    """
    array = np.asarray(flags)
    if array.shape != (n,) or array.dtype != np.bool_:
        raise ValueError(f"{key} is {array.dtype} of shape {array.shape}; expected {n} flags")
    return array


def check_choices(choices: Iterable[tuple[str, object, Iterable[str]]]) -> None:
    """Check that named values are among the known words.

    Raises:
        ValueError: one is not.
    """
    for key, value, known in choices:
        words = tuple(known)
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"{key} = {shortened(value)}; expected one of {', '.join(words)}")


def check_coefficients(coefficients: object, terms: Collection[str]) -> None:
    """Check weights of reward terms.

    Args:
        coefficients: by term.
        terms: those that there are.

    Raises:
        ValueError: a term does not exist, or its weight is no number in range.
    """
    if not isinstance(coefficients, Mapping):
        raise ValueError(
            f"reward_coefficients = {shortened(coefficients)}; expected numbers by term"
        )
    for term, coefficient in coefficients.items():
        if term not in terms:
            known = ", ".join(terms)
            raise ValueError(f"reward coefficient {shortened(term)}; expected one of {known}")
        COEFFICIENT.check(f"reward_coefficients[{term!r}]", coefficient)


def shortened(value: object) -> str:
    """Return a value as one short line, whatever it is."""
    if isinstance(value, str | bytes):
        text = repr(value[:61])
    elif isinstance(value, int) and value.bit_length() > _LONG_BITS:
        text = f"an integer of {value.bit_length()} bits"
    elif isinstance(value, int | float | complex | np.generic | None):
        text = str(value)
    else:
        text = f"a value of type {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."


_LONG = 64
_LONG_BITS = math.ceil(_LONG * math.log2(10))
