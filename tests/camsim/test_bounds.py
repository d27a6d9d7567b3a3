"""Kinds and ranges of options: one check for the configuration and for Python."""

import math
import re

import numpy as np
import pytest

from camsim.bounds import (
    DISCOUNT,
    MESSAGE_LOSS,
    NUM_ENVS,
    SEED,
    NumberRange,
    check_choices,
    check_flags,
    shortened,
)


@pytest.mark.parametrize(
    ("allowed", "value"),
    [(NUM_ENVS, 1), (NUM_ENVS, np.int64(64)), (SEED, 2**64 - 1), (DISCOUNT, 1), (DISCOUNT, 0.98)],
)
def test_good_numbers(allowed: NumberRange, value: object) -> None:
    allowed.check("key", value)


@pytest.mark.parametrize(
    ("allowed", "value", "found"),
    [
        (NUM_ENVS, 0, "0"),
        (NUM_ENVS, True, "True"),
        (NUM_ENVS, 1.0, "1.0"),
        (NUM_ENVS, 10**1000, "an integer of 3322 bits"),
        (NUM_ENVS, "4", "'4'"),
        (NUM_ENVS, None, "None"),
        (NUM_ENVS, [4], "a value of type list"),
        (MESSAGE_LOSS, math.nan, "nan"),
        (MESSAGE_LOSS, math.inf, "inf"),
        (MESSAGE_LOSS, 1j, "1j"),
        (MESSAGE_LOSS, np.bool_(True), "True"),
    ],
)
def test_bad_numbers_are_one_line(allowed: NumberRange, value: object, found: str) -> None:
    message = re.escape(f"key = {found}; expected {allowed}")
    with pytest.raises(ValueError, match=f"^{message}$"):
        allowed.check("key", value)


def test_ranges_in_words() -> None:
    assert str(NumberRange(1, 16)) == "an integer from 1 to 16"
    assert str(NumberRange(0, 0.5, whole=False)) == "a number from 0 to 0.5"


@pytest.mark.parametrize("value", ["no", 0, None, [], 1.0])
def test_flags_are_true_or_false(value: object) -> None:
    check_flags([("key", True), ("key", np.bool_(False))])
    with pytest.raises(ValueError, match=r"key = .*; expected True or False"):
        check_flags([("key", value)])


@pytest.mark.parametrize("value", ["c", "", 1, None, ["a"], {"a": 1}])
def test_choices_are_known_words(value: object) -> None:
    check_choices([("key", "a", ("a", "b"))])
    with pytest.raises(ValueError, match=r"key = .*; expected one of a, b"):
        check_choices([("key", value, ("a", "b"))])


@pytest.mark.parametrize("value", ["x" * 10**6, "a\nb", 10**100, -(10**100), {1: 2}, 1e308])
def test_values_are_shown_in_one_short_line(value: object) -> None:
    assert len(shortened(value)) <= 64
    assert "\n" not in shortened(value)
