"""Observation options: transformations against plain Python, bounds, and what they leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_worlds import random_actions, random_simulator

from camsim import TeamEnv, TeamOptions, load_scenario
from camsim.envs import transforms as observations
from camsim.envs.transforms import Sizes
from camsim.layout import CameraObsLayout, StateLayout, TargetObsLayout

Floats = NDArray[np.float64]
SCENARIOS = ("MATE-4v4-9", "MATE-2v4-0", "MATE-8v8-9", "MATE-Navigation")
VIEWS = ("own", "shared", "enhanced")

# What each number is, in the order of the vectors.
CAMERA = ["place", "place", "radius", "place", "place", "angle"]
CAMERA_OWN = [*CAMERA, "length", "angle", "angle"]
TARGET = ["place", "place", "length", "flag"]
TARGET_OWN = [*TARGET, "length", "capacity", *4 * ["count"], *4 * ["flag"]]
OBSTACLE = ["place", "place", "radius"]
PRESERVED = [*4 * ["count"], *8 * ["place"], "radius"]

RESCALED: dict[str, Callable[[float], float]] = {
    "count": lambda x: x,
    "flag": lambda x: x,
    "place": lambda x: x / 2000.0,
    "radius": lambda x: x / 500.0 - 1.0,
    "angle": lambda x: x / 90.0 - 1.0,
    "length": lambda x: x / 1000.0 - 1.0,
    "capacity": lambda x: 2.0 * x - 3.0,
}


def kinds(team: str, sizes: Sizes) -> tuple[list[str], list[tuple[int, int]]]:
    """Kinds of the numbers of an observation, and where entity entries start and end."""
    cameras, targets, obstacles = ([name] * n for name, n in zip("cto", sizes, strict=True))
    order = targets + obstacles + cameras if team == "camera" else cameras + obstacles + targets
    found = PRESERVED + (CAMERA_OWN if team == "camera" else TARGET_OWN)
    entries = []
    for entity in order:
        entry = {"c": CAMERA, "t": TARGET, "o": OBSTACLE}[entity]
        entries.append((len(found), len(found) + len(entry)))
        found = [*found, *entry, "flag"]
    return found, entries


def transformed(raw: Floats, team: str, sizes: Sizes, relative: bool, rescaled: bool) -> Floats:
    """One observation by the rules of the spec, number by number."""
    names, entries = kinds(team, sizes)
    out = list(raw)
    if relative:
        places = [4, 6, 8, 10] + [start for start, flag in entries if raw[flag] != 0.0]
        for place in places:
            out[place] -= raw[13]
            out[place + 1] -= raw[14]
    if rescaled:
        out = [RESCALED[name](value) for name, value in zip(names, out, strict=True)]
    return np.array(out)


@pytest.mark.parametrize("rescaled", [False, True])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("view", VIEWS)
def test_transformations(view: str, relative: bool, rescaled: bool) -> None:
    """Random worlds, every view: the raw vectors of the same world, transformed in Python."""
    for name in ("MATE-2v4-0", "MATE-4v4-9", "MATE-Navigation"):
        scenario = load_scenario(name)
        world = random_simulator(scenario, 3, seed=7)
        world.see()
        views = {"camera_view": view, "target_view": view}
        raw, env = (
            TeamEnv(scenario, TeamOptions(**views, **how), 3)  # type: ignore[arg-type]
            for how in ({}, {"relative": relative, "rescaled": rescaled})
        )
        for each in (raw, env):
            for mine, theirs in zip(each.sim.tables, world.tables, strict=True):
                mine[...] = theirs
            each.observe()
        for team, plain, computed in (
            ("camera", raw.output.camera_obs, env.output.camera_obs),
            ("target", raw.output.target_obs, env.output.target_obs),
        ):
            for i, a in np.ndindex(plain.shape[:2]):
                wanted = transformed(plain[i, a], team, env.sizes, relative, rescaled)
                np.testing.assert_allclose(computed[i, a], wanted, rtol=0.0, atol=1e-12)
        np.testing.assert_array_equal(env.output.state, raw.output.state)


def test_own_teammate_entry_becomes_zero_and_own_place_stays() -> None:
    env = TeamEnv(load_scenario("MATE-4v4-9"), TeamOptions(relative=True), 2)
    out = env.reset(np.arange(2, dtype=np.uint64))
    at = CameraObsLayout(*env.sizes)
    for c in range(4):
        own = at.cameras + 7 * c
        assert (out.camera_obs[:, c, own : own + 2] == 0.0).all()
        assert (out.camera_obs[:, c, own + 6] == 1.0).all()
    np.testing.assert_array_equal(out.camera_obs[:, :, 13:15], env.sim.view.cameras.xy)


def test_masked_entries_are_rescaled_too() -> None:
    """Zeros of unseen entities become -1 where the lower bound is 0, as in MATE."""
    env = TeamEnv(load_scenario("MATE-4v4-9"), TeamOptions(rescaled=True, relative=True), 4)
    out = env.reset(np.arange(4, dtype=np.uint64))
    at = CameraObsLayout(*env.sizes)
    entries = out.camera_obs[:, :, at.targets : at.obstacles].reshape(-1, 5)
    unseen = entries[entries[:, 4] == 0.0]
    assert len(unseen) > 0
    assert (unseen == [0.0, 0.0, -1.0, 0.0, 0.0]).all()


@pytest.mark.parametrize("sizes", [(4, 4, 9), (0, 8, 32), (1, 1, 0), (24, 48, 9)])
def test_bounds_have_the_vectors_lengths(sizes: Sizes) -> None:
    for bounds, layout in (
        (observations.camera_obs_bounds(sizes), CameraObsLayout(*sizes)),
        (observations.target_obs_bounds(sizes), TargetObsLayout(*sizes)),
        (observations.state_bounds(sizes), StateLayout(*sizes)),
    ):
        low, high = bounds
        assert low.shape == high.shape == (layout.size,)
        assert (low < high).all()
        small, large = observations.rescaled_bounds(bounds)
        bounded = np.isfinite(high)
        assert (small[bounded] == -1.0).all()
        assert (large[bounded] == 1.0).all()
        np.testing.assert_array_equal(small[~bounded], 0.0)
        assert np.isinf(large[~bounded]).all()


def test_bounds_of_each_number() -> None:
    low, high = observations.camera_obs_bounds((1, 1, 1))
    inf = float("inf")
    assert high[:14].tolist() == [inf] * 4 + [2000.0] * 8 + [1000.0, 2000.0]
    assert high[13:22].tolist() == [2000, 2000, 1000, 2000, 2000, 180, 2000, 180, 180]
    assert low[22:27].tolist() == [-2000, -2000, 0, -1, -1]
    low, high = observations.target_obs_bounds((1, 1, 1))
    assert high[13:27].tolist() == [2000, 2000, 2000, 1, 2000, 2, inf, inf, inf, inf, 1, 1, 1, 1]
    assert low[13:27].tolist() == [-2000, -2000, 0, -1, 0, 1, 0, 0, 0, 0, -1, -1, -1, -1]


def test_rescaling_of_odd_bounds() -> None:
    """Counted from a lower bound; without one, or without width, left alone."""
    inf = float("inf")
    bounds = np.array([3.0, -inf, -inf, 5.0]), np.array([inf, 7.0, inf, 5.0])
    scale, shift = observations.rescaling(bounds)
    assert scale.tolist() == [1.0] * 4
    assert shift.tolist() == [-3.0, 0.0, 0.0, 0.0]


def test_state_of_a_wrong_length() -> None:
    with pytest.raises(ValueError, match=r"state has shape \(2, 155\); expected 156 numbers"):
        observations.normalized_state(np.zeros((2, 155)), (4, 4, 9))


OPTIONS = st.fixed_dictionaries(
    {
        "camera_view": st.sampled_from(VIEWS),
        "target_view": st.sampled_from(VIEWS),
        "relative": st.booleans(),
        "rescaled": st.booleans(),
        "dtype": st.sampled_from(["float64", "float32"]),
        "with_camera_obs": st.sampled_from([True, True, False]),
        "with_target_obs": st.sampled_from([True, True, False]),
        "with_state": st.booleans(),
    }
)


def assert_within(array: NDArray[np.floating], bounds: tuple[Floats, Floats]) -> None:
    low, high = (bound.astype(array.dtype) for bound in bounds)
    assert ((array >= low) & (array <= high)).all()


@pytest.mark.jit
@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SCENARIOS), OPTIONS, st.integers(0, 1000))
def test_any_combination_of_options(name: str, options: dict[str, object], seed: int) -> None:
    """Shapes and bounds hold; masks, rewards and the world do not notice what is observed."""
    scenario, n = load_scenario(name), 2
    env = TeamEnv(scenario, TeamOptions(targets="external", **options), n)  # type: ignore[arg-type]
    plain = TeamEnv(scenario, TeamOptions(targets="external"), n)
    rng = np.random.default_rng(seed)
    seeds = rng.integers(0, 2**32, n).astype(np.uint64)
    out, wanted = env.reset(seeds), plain.reset(seeds)
    for _ in range(12):
        actions = random_actions(env.sim, rng)
        out, wanted = env.step(*actions), plain.step(*actions)
        assert_within(out.camera_obs, env.camera_obs_bounds)
        assert_within(out.target_obs, env.target_obs_bounds)
        assert_within(out.state, env.state_bounds)
        np.testing.assert_array_equal(out.camera_reward, wanted.camera_reward)
        np.testing.assert_array_equal(out.target_reward, wanted.target_reward)
    for vector in ("camera_obs", "target_obs", "state"):
        mine, theirs = getattr(out, vector), getattr(wanted, vector)
        rows = n if options[f"with_{vector}"] else 0
        assert mine.shape == (rows, *theirs.shape[1:])
        assert mine.dtype == options["dtype"]
    for mine, theirs in zip(env.sim.tables, plain.sim.tables, strict=True):
        np.testing.assert_array_equal(mine, theirs)
