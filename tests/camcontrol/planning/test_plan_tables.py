"""Tables that are used as if they had been allocated for the lanes of the moment."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from camcontrol.planning.plan_tables import action_lanes, allocate_plans, plan_lanes

in_python = [getattr(function, "py_func", function) for function in (action_lanes, plan_lanes)]
lanes_of_actions, lanes_of_plans = in_python

sizes = st.tuples(*(st.integers(1, n) for n in (2, 3, 4, 30)))  # workers, cameras, targets, actions


@given(
    sizes=sizes,
    n_trajectories=st.integers(1, 32),
    n_frames=st.integers(1, 4),
    best=st.tuples(st.integers(1, 30), st.integers(1, 5)),
    n=st.integers(0, 40),
)
def test_a_worker_has_lanes_of_its_own_for_as_many_as_there_is_room_for(
    sizes: tuple[int, int, int, int],
    n_trajectories: int,
    n_frames: int,
    best: tuple[int, int],
    n: int,
) -> None:
    """No two tables of a worker, and of two workers, share memory; all lie in one piece."""
    n_workers, n_cameras, _, n_actions = sizes
    plans = allocate_plans(sizes, n_trajectories, n_frames, best)
    n_possible, n_words = min(n, n_actions), len(plans.target_bits)
    for w in range(n_workers):
        actions, lanes = lanes_of_actions(plans, n_possible, w), lanes_of_plans(plans, n, w)
        n_lanes = actions.held.shape[1]
        assert n_lanes % 8 == 0
        assert max(n_possible, 1) <= n_lanes < n_possible + 8 + (n_possible == 0)
        assert actions.wanted.shape == (2, n_frames, n_trajectories * n_lanes)
        assert actions.pose.shape == actions.midway.shape == (2, n_trajectories * n_lanes)
        n_first, n_then = min(max(n, 1), best[0]), best[1]
        assert lanes.first.shape == (n_cameras, n_first)
        assert lanes.wanted.shape == (2, n_then * n_first)
        assert lanes.pose.shape == (2, n_trajectories, n_then * n_first)
        assert lanes.cover.shape == (n_cameras, n_words, (1 + n_then) * n_first)
        assert lanes.value.shape == (n_cameras, (1 + n_then) * n_first)
        for table in (*actions, *lanes):
            assert table.flags.c_contiguous
            assert (table <= 0).all()  # of no other worker and no other table
            table[...] = w + 1


@given(sizes=sizes, n_trajectories=st.integers(1, 32), n_frames=st.integers(1, 4))
def test_every_slot_has_bits_of_its_own(
    sizes: tuple[int, int, int, int], n_trajectories: int, n_frames: int
) -> None:
    """A slot's bits lie in one word; the bits of a target are those of its slots."""
    plans = allocate_plans(sizes, n_trajectories, n_frames, (1, 1))
    assert plans.n_trajectories == n_trajectories
    words, shifts = plans.slots
    bits = np.zeros_like(plans.target_bits, np.uint64)
    for (_, target), word, shift in zip(
        np.ndindex(words.shape), words.flat, shifts.flat, strict=True
    ):
        assert shift + n_trajectories <= 32
        mask = np.uint64(((1 << n_trajectories) - 1) << int(shift))
        assert not (bits[word] & mask).any()
        bits[word, target] |= mask
    np.testing.assert_array_equal(bits, plans.target_bits)
