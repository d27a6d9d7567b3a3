"""Which selections a camera has, in which order, and when they may be used."""

from __future__ import annotations

import numpy as np
import pytest
import reference_hrl
from compiled import from_python
from hypothesis import given
from hypothesis import strategies as st
from parity.selecting import see_and_act
from random_worlds import random_simulator, scenario_with
from reference_bridge import state_of, world_of

from camcontrol.control import controller
from camcontrol.control.action_set import make_catalogue

search_pose = from_python(controller.search_pose)


def members(n_targets: int, *, multi: bool, at_most: int, n_search: int) -> list[tuple[int, ...]]:
    """The selected targets of every action; search actions have none."""
    catalogue = make_catalogue(
        n_targets, multi_selection=multi, max_selected=at_most, search_actions=n_search
    )
    assert (catalogue.search >= 0).sum() == n_search
    return [tuple(t for t in row if t >= 0) for row in catalogue.members.tolist()]


def test_single_selection_is_every_target_then_nothing() -> None:
    assert members(3, multi=False, at_most=2, n_search=0) == [(0,), (1,), (2,), ()]


def test_sets_of_any_size_come_in_the_order_of_their_joint_index() -> None:
    wanted = [
        tuple(t for t, bit in enumerate(reference_hrl.selection_bits_of_index(index, 3)) if bit)
        for index in range(8)
    ]
    assert members(3, multi=True, at_most=3, n_search=0) == wanted
    assert members(3, multi=True, at_most=9, n_search=0) == wanted


@pytest.mark.parametrize(("n_search", "last"), [(0, [()]), (2, [(), ()])])
def test_small_sets(n_search: int, last: list[tuple[int, ...]]) -> None:
    """Singles, then pairs, then "nothing" (only without search actions), then these."""
    pairs = [(0, 1), (0, 2), (1, 2)]
    assert members(3, multi=True, at_most=2, n_search=n_search) == [(0,), (1,), (2,), *pairs, *last]


def test_number_of_actions_grows_as_a_power() -> None:
    for n_targets in (1, 2, 4, 8, 30):
        n_actions = len(members(n_targets, multi=True, at_most=2, n_search=16))
        if n_targets > 2:
            assert n_actions == n_targets + n_targets * (n_targets - 1) // 2 + 16


@given(st.floats(-180.0, 180.0), st.integers(0, 23))
def test_search_actions_go_around_at_one_viewing_angle_after_another(
    forward: float, search: int
) -> None:
    turn, width = search % 8, (55.0, 110.0, 34.0)[search // 8]
    assert search_pose(forward, search) == pytest.approx((forward + 45.0 * turn, width))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"search_actions": 25}, "search_actions = 25; expected 0 to 24"),
        ({"search_actions": -1}, "search_actions = -1"),
        ({"n_targets": 20, "max_selected": 20}, "smaller max_selected"),
        ({"n_targets": 400, "max_selected": 2}, "at most 65536"),
    ],
)
def test_impossible_catalogues(arguments: dict[str, int], message: str) -> None:
    options = {"n_targets": 4, "max_selected": 2, "search_actions": 0} | arguments
    with pytest.raises(ValueError, match=message):
        make_catalogue(
            options["n_targets"],
            multi_selection=True,
            max_selected=options["max_selected"],
            search_actions=options["search_actions"],
        )


@pytest.mark.parametrize("name", ["MATE-1v1-9", "MATE-4v4-9", "MATE-8v8-9"])
def test_executor_and_masks_equal_the_oracle_in_random_states(name: str) -> None:
    """All subsets of up to two targets, MATE's executor, memory 0."""
    n_envs = 60
    sim = random_simulator(scenario_with(name), n_envs, seed=81)
    sim.see()
    n_cameras, n_targets = sim.tables.camera_target.shape[1:]
    catalogue = make_catalogue(n_targets, multi_selection=True, max_selected=2, search_actions=0)
    rng = np.random.default_rng(82)
    selected = rng.integers(0, len(catalogue.search), (n_envs, n_cameras))
    action, allowed = see_and_act(sim.observe().camera_obs, catalogue, selected)
    params = sim.params
    limits = (
        params.theta_min_deg,
        params.max_range,
        params.rotation_step_deg,
        params.zooming_step_deg,
    )
    for i in range(n_envs):
        world, state = world_of(sim, i), state_of(sim, i)
        for c in range(n_cameras):
            visible = state.camera_target_mask[c]
            chosen = catalogue.members[selected[i, c]]
            points = [state.target_xy[t] for t in chosen if t >= 0 and visible[t]]
            wanted = reference_hrl.executor_action(
                (float(world.camera_xy[c, 0]), float(world.camera_xy[c, 1])),
                (
                    float(state.camera_orientation[c]),
                    float(state.camera_viewing_angle[c]),
                    float(state.camera_sight_range[c]),
                ),
                limits,
                [(float(x), float(y)) for x, y in points],
            )
            np.testing.assert_allclose(action[i, c], wanted, rtol=0, atol=1e-9)
            may = [all(t < 0 or visible[t] for t in row) for row in catalogue.members]
            np.testing.assert_array_equal(allowed[i, c], may)
