"""A whole team without an environment: the motions of the evaluation, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import CPU
from trained_cameras import by_index, make_checkpoint, make_config, make_model

from camcontrol.selection_env import SelectionEnv
from camsim import TeamEnv, TeamOptions, load_scenario
from qplex_hrl import TeamController
from qplex_hrl.data.make_env import build_env, selection_options
from qplex_hrl.evaluation.trained import greedy_agent
from qplex_hrl.storage.checkpoint import CheckpointError


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("team")
    return make_checkpoint(folder, make_config(folder))


@pytest.mark.parametrize("case", ["own", "shared", "index"])
def test_motions_are_those_of_the_evaluation(tmp_path: Path, case: str) -> None:
    """Two episodes, with reactions within decisions, to the last bit."""
    config = make_config(tmp_path, case == "shared", fast_interval=1)
    config = by_index(config) if case == "index" else config
    options = replace(selection_options(config), auto_reset=False)
    env = SelectionEnv(load_scenario("MATE-4v4-9"), options, 1)
    agent = greedy_agent(make_model(build_env(config, 1), config).agent, env, CPU)
    team = TeamController(make_checkpoint(tmp_path, config), "MATE-4v4-9")
    out = env.reset(np.array([9], np.uint64))
    chosen = set()
    for _ in range(2):
        team.reset()
        agent.reset_rows(np.ones(1, np.bool_))
        while not (out.truncated | out.terminated)[0]:
            actions = agent.act(out.obs, out.avail_actions)
            for frame in range(options.decision_frames):
                if frame and agent.reaction is not None:
                    actions = agent.reaction(*env.glance(), frame)
                pan, zoom = team.step(env.sim.obs.camera_obs[0])
                np.testing.assert_array_equal(team.selections, actions[0])
                chosen |= set(actions[0].tolist())
                env.run_frames(actions, 1)
                moved = env._scratch.camera_action[0]
                np.testing.assert_array_equal(np.stack([pan, zoom], axis=-1), moved)
                if env.sim.view.world.done[0]:
                    break
            out = env.observe()
        out = env.restart(np.ones(1, np.bool_))
    assert len(chosen) > 5


def test_a_shipped_team_covers_targets_in_a_world_that_knows_nothing_of_it() -> None:
    """The example of docs/deploying.md, with fewer frames."""
    team = TeamController("pretrained/qplex_hrl_4v4_9_shared.pth")
    options = TeamOptions(camera_view="shared")
    world = TeamEnv(load_scenario("MATE-4v4-9"), options, num_envs=1)
    out = world.reset(np.array([3], np.uint64))
    covered = []
    for _ in range(150):
        pan, zoom = team.step(out.camera_obs[0])
        out = world.step(np.stack([pan, zoom], axis=-1)[None])
        covered.append(world.sim.view.world.coverage_rate[0])
    assert np.mean(covered[30:]) > 0.6


def observations(seed: int = 1) -> np.ndarray:
    return (
        TeamEnv(load_scenario("MATE-4v4-9"), TeamOptions(), 1)
        .reset(np.array([seed], np.uint64))
        .camera_obs[0]
    )


def test_bad_observations_are_refused_in_one_line(checkpoint: Path) -> None:
    team, good = TeamController(checkpoint), observations()
    swapped, unknown = good[::-1], good.copy()
    unknown[2, 5] = np.nan
    for bad, message in (
        (good[:3], r"observations are float64 of shape \(3, \d+\); expected \(4, \d+\) numbers"),
        (good.astype(str), "expected"),
        (unknown, r"observations\[2, 5\] = nan; expected a finite number"),
        (swapped, r"observations\[0\] begins with \[4.0, 4.0, 9.0, 3.0\]; expected \[4, 4, 9, 0\]"),
    ):
        with pytest.raises(ValueError, match=message):
            team.step(bad)
    with pytest.raises(ValueError, match="1 messages; expected none"):
        team.step(good, ["hello"])
    team.step(good, [])


def test_bad_checkpoints_and_worlds_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing"):
        TeamController(tmp_path / "nothing.pth")
    with pytest.raises(ValueError, match="MATE-9v9-9"):
        TeamController(checkpoint, "MATE-9v9-9")


def test_one_camera_does_not_know_what_another_sees(checkpoint: Path) -> None:
    """What camera 0 does is the same, whatever the others observe."""
    moves = []
    for others in (observations(), observations(2)):
        team, shown = TeamController(checkpoint), observations()
        shown[1:, 4:] = others[1:, 4:]
        moves.append([float(part[0]) for part in team.step(shown)])
    assert moves[0] == moves[1]


ALONE = """
import sys
from qplex_hrl import TeamController
TeamController(sys.argv[1])
assert not {"gymnasium", "pettingzoo", "ray"} & sys.modules.keys()
"""


def test_no_interface_of_environments_is_imported(checkpoint: Path) -> None:
    done = subprocess.run([sys.executable, "-c", ALONE, str(checkpoint)], check=False)
    assert done.returncode == 0
