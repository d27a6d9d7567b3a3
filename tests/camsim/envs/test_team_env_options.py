"""Options of TeamEnv: any combination runs, wrong ones are refused, all are documented."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import DOCS
from team_worlds import make, seeds

from camsim import Link, TeamEnv, TeamOptions, load_scenario
from camsim.envs.team_env import TeamOutput
from camsim.kernels.reward_terms import CAMERA_TERMS, TARGET_TERMS
from camsim.layout import OBSERVATION_MODES
from camsim.scripted.spec import camera_rules

TEAMS = ("cameras", "targets")


def coefficients(terms: tuple[str, ...]) -> st.SearchStrategy[dict[str, float] | None]:
    return st.none() | st.dictionaries(st.sampled_from(terms), st.floats(-2.0, 2.0), max_size=3)


ALL_OPTIONS = st.fixed_dictionaries(
    {
        "cameras": st.sampled_from(["external", "greedy", "heuristic", "greedy=1,naive=2"]),
        "targets": st.sampled_from(["external", "heuristic", "naive", "greedy=1,random=2"]),
        "camera_view": st.sampled_from(["own", "shared", "enhanced"]),
        "target_view": st.sampled_from(["own", "shared", "enhanced"]),
        "relative": st.booleans(),
        "rescaled": st.booleans(),
        "camera_action_levels": st.sampled_from([None, 3, 5]),
        "target_action_levels": st.sampled_from([None, 3, 7]),
        "camera_rewards": coefficients(CAMERA_TERMS),
        "camera_reduction": st.sampled_from(["none", "mean", "sum", "max", "min"]),
        "target_rewards": coefficients(TARGET_TERMS),
        "target_reduction": st.sampled_from(["none", "mean", "sum", "max", "min"]),
        "target_done_at_destination": st.booleans(),
        "max_episode_steps": st.integers(1, 8),
    }
)


@pytest.mark.parametrize("option", ["targets", "camera_view", "camera_reduction"])
def test_a_wrong_value_is_told_shortly(option: str) -> None:
    with pytest.raises(ValueError, match=r"a value of type list; expected") as caught:
        make(1, TeamOptions(**{option: [2**31] * 900, "camera_rewards": {}}))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [0.5, True, ["coverage_rate"], "coverage_rate"])
def test_weights_of_rewards_are_a_mapping(value: object) -> None:
    with pytest.raises(ValueError, match=r"target_rewards = .*; expected weights of reward terms"):
        make(1, TeamOptions(target_rewards=value))  # type: ignore[arg-type]


@pytest.mark.jit
@settings(max_examples=30, deadline=None)
@given(ALL_OPTIONS, st.integers(0, 1000))
def test_any_combination_of_options(options: dict[str, Any], seed: int) -> None:
    """Everything finite, and row 1 of three is the episode that it would be alone."""
    for team in ("camera", "target"):
        if options[f"{team}s"] != "external":
            options[f"{team}_action_levels"] = None
        if options[f"{team}_rewards"] is None:
            options[f"{team}_reduction"] = "none"
    batch, single = make(3, TeamOptions(**options)), make(1, TeamOptions(**options))
    rng = np.random.default_rng(seed)
    many, one = batch.reset(seeds(3, seed)), single.reset(seeds(1, seed + 1))
    for _ in range(12):
        actions = []
        for team in ("camera", "target"):
            levels = options[f"{team}_action_levels"]
            drawn = rng.uniform(-20, 20, (3, 4, 2)) if levels is None else None
            actions.append(rng.integers(0, levels**2, (3, 4)) if drawn is None else drawn)
        chosen = [
            a if options[k] == "external" else None for a, k in zip(actions, TEAMS, strict=True)
        ]
        many = batch.step(*chosen)
        one = single.step(*(None if a is None else a[1:2] for a in chosen))
        for a, b, name in zip(many, one, TeamOutput._fields, strict=True):
            assert np.isfinite(a).all()
            np.testing.assert_array_equal(a[1], b[0], name)
    wanted = single.information()
    for name, array in batch.information().items():
        np.testing.assert_array_equal(array[1], wanted[name][0], name)


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("cameras", None, "a rule's name, a mixture"),
        ("camera_action_levels", "5", "an integer from 3"),
        ("max_episode_steps", 10.5, "an integer from 1"),
        ("target_link", {"delay": 3}, "a Link"),
        ("relative", "no", "True or False"),
    ],
)
def test_options_of_a_wrong_kind(option: str, value: object, allowed: str) -> None:
    with pytest.raises(ValueError, match=f"{option} = .*; expected {allowed}"):
        make(1, **{option: value})


def test_a_delay_is_a_whole_number() -> None:
    with pytest.raises(ValueError, match=r"delay = 1.5; expected an integer from 0 to 10000"):
        make(1, target_link=Link(delay=1.5))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"camera_view": "all"}, "camera_view = 'all'; expected one of own, shared, enhanced"),
        ({"target_view": "all"}, "target_view = 'all'"),
        ({"dtype": "float16"}, "dtype = 'float16'; expected one of float64, float32"),
        ({"max_episode_steps": 0}, "max_episode_steps = 0; expected an integer from 1"),
        ({"min_baseline_deg": 200.0}, "min_baseline_deg = 200.0; expected a number from 0 to 180"),
        ({"min_baseline_deg": "30"}, "min_baseline_deg = '30'; expected a number from 0 to 180"),
        ({"camera_action_levels": 4}, "action levels = 4; expected an odd number"),
        ({"targets": "greedy", "target_action_levels": 5}, "a rule drives the targets"),
        ({"cameras": "clever"}, "camera.policy = 'clever'"),
        ({"camera_rewards": {"cover": 1.0}}, "cameras: reward term 'cover'; expected one of"),
        (
            {"target_rewards": {"baseline": "1"}},
            "target_rewards: baseline = '1'; expected a",
        ),
        ({"camera_rewards": {"baseline": np.nan}}, "camera_rewards: baseline = nan"),
        ({"camera_rewards": {}, "camera_reduction": "most"}, "cameras: reduction 'most'"),
        ({"target_reduction": "mean"}, "target_reduction = 'mean' needs target_rewards"),
        ({"targets": "greedy", "target_link": Link(dropout=2.0)}, "dropout = 2.0"),
    ],
)
def test_bad_options(changes: dict[str, object], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        make(2, **changes)


def test_every_option_is_documented() -> None:
    page = (DOCS / "environments.md").read_text(encoding="utf-8")
    for field in fields(TeamOptions):
        assert f"`{field.name}`" in page, field.name
    env = make(1, cameras="greedy", targets="greedy", camera_rewards={"baseline": 1.0})
    env.reset(seeds(1))
    for key in env.information():
        if "_baseline" not in key and key != "camera.baseline":
            assert f"`{key}`" in page or f"`{key.replace('target.', 'camera.')}`" in page, key


def test_full_rules_drive_a_team() -> None:
    """Parameters of the rules count; the view is the option's."""
    rules = camera_rules("greedy", memory_period=2, link=Link(silent=True))
    options = TeamOptions(cameras=rules, camera_view="shared")
    env = TeamEnv(load_scenario("MATE-4v4-9"), options, 2)
    assert env.teams[0].memory_period == 2
    assert env.teams[0].silent
    assert env.teams[0].observes == OBSERVATION_MODES["shared"]
    with pytest.raises(ValueError, match="camera_link was given beside full rules"):
        TeamEnv(load_scenario("MATE-4v4-9"), replace(options, camera_link=Link(delay=1)), 2)
