from typing import Any

import pytest
import torch

from qplex_hrl.storage.stored_values import check_weights, mapping_of, number_of, whole_number_of

OWN = {"a": torch.zeros(2, 3), "b": torch.zeros(1)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": torch.zeros(3, 2)}, r"cameras\.a has shape \[3, 2\]; expected \[2, 3\]"),
        ({"a": torch.zeros(2, 3, dtype=torch.float64)}, r"cameras\.a is of torch.float64"),
        ({"a": torch.full((2, 3), torch.nan)}, r"cameras\.a holds numbers that are not finite"),
        ({"b": {"x": 1}}, r"cameras\.b is of type dict; expected a tensor"),
        ({"c": torch.zeros(1)}, r"cameras\.c is not of this network"),
    ],
)
def test_weights_are_those_of_our_network(changes: dict[str, Any], message: str) -> None:
    check_weights(dict(OWN), OWN, "cameras")
    with pytest.raises(ValueError, match=message):
        check_weights(OWN | changes, OWN, "cameras")
    with pytest.raises(ValueError, match=r"cameras\.b is missing"):
        check_weights({"a": OWN["a"]}, OWN, "cameras")


@pytest.mark.parametrize("value", [-1, 10**30, True, 1.0, "1", None])
def test_counts_are_whole_numbers(value: object) -> None:
    assert whole_number_of(3, "n") == 3
    with pytest.raises(ValueError, match=r"n is .*; expected a whole number"):
        whole_number_of(value, "n")


@pytest.mark.parametrize("value", [-0.5, float("nan"), float("inf"), True, "1", None, 10**400])
def test_numbers_are_finite(value: object) -> None:
    assert number_of(0.5, "x") == 0.5
    with pytest.raises(ValueError, match=r"x is .*; expected a number"):
        number_of(value, "x")


def test_a_mapping_has_names() -> None:
    assert mapping_of({"a": 1}, "m") == {"a": 1}
    for value in ([1], {1: 2}, None):
        with pytest.raises(ValueError, match=r"m is .*; expected a mapping"):
            mapping_of(value, "m")
