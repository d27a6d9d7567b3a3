"""What is packed comes back: exact, or within the step that its entry names."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from made_up_recording import LARGE, made_up
from numpy.typing import NDArray

from qplex_hrl.viewer.pack import Entry, pack, unpack

SHAPES = array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)
ROUNDED = ("target_xy", "track_xy", "particle_xy", "camera_pose", "slow_probs")


def through(given_arrays: dict[str, NDArray[Any]]) -> tuple[list[Entry], dict[str, NDArray[Any]]]:
    """Return entries and arrays, after the entries have been JSON."""
    entries, blob = pack(given_arrays)
    return entries, unpack(json.loads(json.dumps(entries)), blob)


@given(arrays(st.sampled_from([np.int8, np.int16, np.int32, np.uint8, np.bool_]), SHAPES))
def test_integers_and_booleans_are_exact(array: NDArray[Any]) -> None:
    _, back = through({"target_goal": array, "particle_goal": array})
    for name in back:
        assert back[name].dtype.kind == ("b" if array.dtype.kind == "b" else "i")
        np.testing.assert_array_equal(back[name], array)


@given(arrays(np.float32, SHAPES))
def test_floats_without_a_step_are_exact_even_if_not_finite(array: NDArray[Any]) -> None:
    _, back = through({"q_values": array})
    np.testing.assert_array_equal(back["q_values"], array)


@given(
    st.sampled_from(ROUNDED),
    arrays(
        st.sampled_from([np.float32, np.float64]),
        SHAPES,
        elements=st.floats(-1e5, 1e5, width=32) | st.just(np.nan),
    ),
)
def test_rounded_floats_are_within_half_a_step_and_nan_stays(
    name: str, array: NDArray[Any]
) -> None:
    (entry,), back = through({name: array})
    assert back[name].dtype == np.float32
    np.testing.assert_array_equal(np.isnan(back[name]), np.isnan(array))
    np.testing.assert_allclose(back[name], array, rtol=0.0, atol=0.5 * entry.step * (1.0 + 1e-6))


def test_steps_are_fine_enough_for_a_terrain() -> None:
    entries, _ = through(dict(made_up().arrays))
    steps = {entry.name: entry.step for entry in entries if entry.step}
    assert max(steps.values()) == steps.pop("particle_xy") == 1.0
    assert max(steps.values()) == 2.0**-4 or steps["camera_pose"] == 2.0**-5


def test_several_arrays_keep_their_order_and_shapes() -> None:
    given_arrays = {
        "action": np.arange(-3, 3).reshape(2, 3),
        "camera_target": np.eye(3, dtype=np.bool_),
        "empty": np.zeros((2, 0, 5)),
        "coverage": np.array([0.5, np.nan]),
    }
    _, back = through(given_arrays)
    assert list(back) == list(given_arrays)
    for name, array in given_arrays.items():
        np.testing.assert_array_equal(back[name], array)


def test_a_long_episode_of_a_large_team_is_small() -> None:
    _, blob = pack(made_up(LARGE).arrays)
    assert len(blob) < 2_500_000  # base64 makes 4 bytes of 3


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("names", np.array(["a"]), "names has dtype <U1; expected floats, integers or booleans"),
        (
            "delivered",
            np.array([2**40]),
            "holds integers from 0 to 1099511627776; expected at most",
        ),
        ("target_xy", np.array([np.inf]), "target_xy holds an infinity; expected numbers or NaN"),
    ],
)
def test_what_cannot_be_stored_is_named(name: str, array: NDArray[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack({name: array})


def test_a_blob_that_does_not_fit_its_entries_is_named() -> None:
    entries, blob = pack({"delivered": np.arange(5), "coverage": np.zeros(3)})
    with pytest.raises(ValueError, match="coverage: the blob ends after 17 bytes, not 21"):
        unpack([entries[0], entries[1]._replace(shape=(4,))], blob)
    with pytest.raises(ValueError, match="17 bytes in the blob; expected 5"):
        unpack(entries[:1], blob)
