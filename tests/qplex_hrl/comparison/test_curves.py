import json
from pathlib import Path

import pytest
from made_up_evaluations import evaluation

from qplex_hrl.comparison.curves import learning_curve, of_the_world, read_evaluations


def test_evaluations_of_a_log_folder_come_by_timestep(tmp_path: Path) -> None:
    for timestep in (2000, 1000, 10000):
        path = tmp_path / f"eval_results_{timestep}.json"
        path.write_text(json.dumps(evaluation([0.5], timestep)))
    (tmp_path / "final_eval_results.json").write_text("not read")
    assert [each["timestep"] for each in read_evaluations(tmp_path)] == [1000, 2000, 10000]


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_damaged_evaluation_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "eval_results_5.json").write_text(text)
    with pytest.raises(ValueError, match=r"eval_results_5\.json: damaged"):
        read_evaluations(tmp_path)


def test_a_curve_is_the_mean_of_runs_where_all_were_evaluated() -> None:
    first = [evaluation([0.1, 0.3], 10), evaluation([0.5, 0.5], 20)]
    second = [evaluation([0.3, 0.5], 10), evaluation([0.9, 0.9], 30)]
    curve = learning_curve([first, second], "coverage_rate")
    assert curve is not None
    assert curve.timesteps == (10,)
    assert curve.points[0].value == pytest.approx(0.3)
    assert curve.points[0].low < 0.3 < curve.points[0].high


def test_no_evaluations_in_common_are_no_curve() -> None:
    assert learning_curve([], "coverage_rate") is None
    assert learning_curve([[evaluation([0.1, 0.2], 10)], []], "coverage_rate") is None
    unequal = [[evaluation([0.1, 0.2], 10)], [evaluation([0.1, 0.2, 0.3], 10)]]
    assert learning_curve(unequal, "coverage_rate") is None
    assert learning_curve([[evaluation([0.1, 0.2], 10)]], "selection_efficiency") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scenario", "MATE-4v8-9"),
        ("opponent", "evader"),
        ("regime", "shared"),
        ("max_episode_steps", 100),
        ("message_loss", 0.5),
    ],
)
def test_evaluations_in_another_world_or_of_later_weights_are_left_out(
    key: str, value: object
) -> None:
    history = [evaluation([0.1, 0.2], timestep) for timestep in (10, 20, 30)]
    assert of_the_world(history, evaluation([0.5], 20)) == tuple(history[:2])
    assert of_the_world(history, evaluation([0.5], 30, **{key: value})) == ()
