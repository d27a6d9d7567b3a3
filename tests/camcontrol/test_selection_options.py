"""Options of a selection environment: checked in one line."""

from dataclasses import replace

import pytest
from selection_worlds import OURS

from camcontrol.selection_env import SelectionEnv
from camsim.scenario.schema import load_scenario


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"belief": "psychic"}, "belief = 'psychic'; expected one of"),
        ({"executor": "magic"}, "executor = 'magic'; expected one of upstream, lead"),
        ({"opponent": "lazy"}, "opponent = 'lazy'; expected one of"),
        ({"decision_frames": 0}, "decision_frames = 0; expected an integer from 1 "),
        ({"reward_coefficients": {"fame": 1.0}}, "reward coefficient 'fame'; expected one of"),
        ({"observation_mode": "all"}, "observation_mode = 'all'"),
        ({"search_actions": 99}, "search_actions = 99"),
        ({"random_walk_share": 0.6}, "random_walk_share = 0.6; expected a number from 0 to 0.5"),
        ({"gamma": float("nan")}, "gamma = nan; expected a number from 0 to 1"),
        ({"max_episode_steps": -5}, "max_episode_steps = -5; expected an integer from 1"),
        ({"message_loss": True}, "message_loss = True; expected a number from 0 to 1"),
        (
            {"reward_coefficients": {"coverage_rate": float("inf")}},
            r"reward_coefficients\['coverage_rate'\] = inf; expected a number",
        ),
        ({"reward_coefficients": 3}, "reward_coefficients = 3; expected numbers by term"),
        ({"auto_reset": "no"}, "auto_reset = 'no'; expected True or False"),
        ({"check_actions": 1}, "check_actions = 1; expected True or False"),
        ({"min_baseline_deg": -5.0}, "min_baseline_deg = -5.0; expected a number from 0 to 180"),
    ],
)
def test_bad_options(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SelectionEnv(load_scenario("MATE-4v4-9"), replace(OURS, **changes), 1)
