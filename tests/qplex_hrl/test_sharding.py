"""Parts of the environments draw and remember what the same rows would among all."""

import itertools

import numpy as np
import pytest
import torch

from qplex_hrl.sharding import Shard, draw_shard, join_states, split_state


@pytest.mark.parametrize("cuts", [(0, 6), (0, 2, 6), (0, 1, 3, 6)])
def test_draws_of_parts_are_the_rows_of_all_draws(cuts: tuple[int, ...]) -> None:
    whole = np.random.default_rng(5)
    expected = [whole.random((2, 6, 3)) for _ in range(3)]
    for first, end in itertools.pairwise(cuts):
        rng = np.random.default_rng(5)
        rows = Shard(first, end - first, 6)
        for draws in expected:
            assert np.array_equal(draw_shard(rng, (2, 3), rows), draws[:, rows.slice])
        assert rng.bit_generator.state == whole.bit_generator.state


def test_states_are_split_and_joined() -> None:
    state = {
        "env": {"x": np.arange(12.0).reshape(6, 2), "unused": np.zeros((0, 4))},
        "agent": {"hidden": torch.arange(6)},
    }
    parts = [split_state(state, Shard(first, 2, 6)) for first in (0, 2, 4)]
    assert parts[1]["env"]["x"].tolist() == [[4, 5], [6, 7]]
    assert parts[1]["agent"]["hidden"].tolist() == [2, 3]
    joined = join_states(parts)
    assert np.array_equal(joined["env"]["x"], state["env"]["x"])  # type: ignore[arg-type]
    assert joined["env"]["unused"].shape == (0, 4)
    assert torch.equal(joined["agent"]["hidden"], state["agent"]["hidden"])  # type: ignore[arg-type]


def test_a_state_of_another_number_of_environments_is_refused() -> None:
    with pytest.raises(ValueError, match="saved for 6 environments; this run has 8"):
        split_state({"x": np.zeros(6)}, Shard(0, 4, 8))
    for odd in (3, "text", None, [1.0] * 8, np.float64(1.0)):
        with pytest.raises(ValueError, match="expected arrays"):
            split_state({"x": odd}, Shard(0, 4, 8))
