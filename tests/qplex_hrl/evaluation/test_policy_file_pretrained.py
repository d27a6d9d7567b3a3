"""The shipped policies: small, of today's format, and far better than scripted cameras."""

from pathlib import Path

import pytest
from paths import PRETRAINED
from tiny import CPU

from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.evaluation.policy_file import load_policy
from qplex_hrl.evaluation.trained import evaluate_checkpoint
from qplex_hrl.runtime.seeding import episode_seeds

FOLDER = PRETRAINED
FILES = sorted(FOLDER.glob("*.pth"))


def test_there_are_policies_of_both_regimes() -> None:
    assert {path.name for path in FILES} >= {"qplex_hrl_4v4_9.pth", "qplex_hrl_4v4_9_shared.pth"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_policy_is_small_and_says_what_it_was_trained_in(path: Path) -> None:
    assert path.stat().st_size < 4e6
    policy = load_policy(path)
    size = policy.config.env.scenario.removeprefix("MATE-").replace("-", "_")
    shared = policy.config.env.shared_field_of_view
    mixture = "=" in policy.config.env.opponent
    stereo = policy.config.control.plan_goal == "stereo_coverage"
    view = "_stereo" if stereo else "_shared" * shared
    assert path.stem == f"qplex_hrl_{size}" + "_mixture" * mixture + view
    assert path.name in (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.jit
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_policy_of_format_1_plays_an_episode(path: Path) -> None:
    world = EvaluationSetting(max_episode_steps=5)
    result = evaluate_checkpoint(path, world, episode_seeds(1, 1), num_envs=1, device=CPU)
    assert 0.0 <= result["mean_coverage_rate"] <= 1.0


@pytest.mark.slow
def test_the_policy_for_stereo_coverage_plays_for_it() -> None:
    """Greedy cameras have 0.23."""
    world = EvaluationSetting(max_episode_steps=200)
    path = FOLDER / "qplex_hrl_8v8_9_stereo.pth"
    result = evaluate_checkpoint(path, world, episode_seeds(1, 4), num_envs=4, device=CPU)
    assert result["mean_stereo_coverage_rate"] > 0.35


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("4v4_9", 0.65), ("4v4_9_shared", 0.75)])
def test_a_policy_plays(name: str, least: float) -> None:
    """Random cameras have 0.27; 200 frames are short, so the bar is far below the card's figure."""
    world = EvaluationSetting(max_episode_steps=200)
    path = FOLDER / f"qplex_hrl_{name}.pth"
    result = evaluate_checkpoint(path, world, episode_seeds(1, 8), num_envs=8, device=CPU)
    assert result["mean_coverage_rate"] > least
