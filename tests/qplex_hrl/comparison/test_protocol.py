"""The structure that marl-eval documents; its own checks and plots were tried by hand."""

import json

import numpy as np
from made_up_evaluations import evaluation, example, scripted, trained

from qplex_hrl.comparison.metric import metric_named
from qplex_hrl.comparison.protocol import protocol_of
from qplex_hrl.comparison.ranking import PlayedContestant, rank


def tree(*played: PlayedContestant) -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    whole = protocol_of(rank(played, metric_named("coverage_rate")))
    json.dumps(whole, allow_nan=False)
    algorithms: dict[str, dict[str, dict[str, dict[str, object]]]] = whole["MATE"]["MATE-4v4-9"]
    return algorithms


def test_every_algorithm_has_as_many_runs_steps_and_metrics() -> None:
    algorithms = protocol_of(example())["MATE"]["MATE-4v4-9"]
    assert list(algorithms) == ["good <b>", "greedy", "a=0.5 b=0.5"]  # no commas
    for runs in algorithms.values():
        assert list(runs) == ["run_1", "run_2"]
        for steps in runs.values():
            assert list(steps) == ["step_1", "step_2", "step_3", "absolute_metrics"]
            assert [steps[f"step_{k}"]["step_count"] for k in (1, 2, 3)] == [1000, 2000, 3000]
            for name, step in steps.items():
                metrics = {"coverage_rate", "transport_rate"}  # not what some leave undefined
                assert step.keys() - {"step_count"} == metrics
                assert ("step_count" in step) == (name != "absolute_metrics")
                assert all(isinstance(value, float) for value in step["coverage_rate"])
            assert len(steps["absolute_metrics"]["coverage_rate"]) == 32


def test_cameras_that_do_not_learn_alone_stand_at_one_step() -> None:
    algorithms = tree(scripted("a", [0.5, 0.6]), scripted("b", [0.4, 0.3]))
    assert algorithms["a"] == {
        "run_1": {
            "step_1": {
                "step_count": 0,
                "coverage_rate": [0.5, 0.6],
                "transport_rate": [0.5, 0.4],
            },
            "absolute_metrics": {"coverage_rate": [0.5, 0.6], "transport_rate": [0.5, 0.4]},
        }
    }


def test_unequal_numbers_are_cut_to_the_smallest() -> None:
    rows = np.linspace(0.5, 0.6, 12)
    history = [[evaluation([0.1, 0.2], 10 * k) for k in (1, 2)]]
    algorithms = tree(
        trained("long", [rows, rows], [*history, *history]),
        trained("short", rows - 0.1, [history[0][:1]]),
        scripted("rule", rows - 0.2),
    )
    for runs in algorithms.values():
        assert list(runs) == ["run_1"]
        assert list(runs["run_1"]) == ["step_1", "absolute_metrics"]
    bare = tree(trained("a checkpoint", rows), scripted("rule", rows - 0.1))
    assert bare["a checkpoint"]["run_1"]["step_1"]["step_count"] == 9000  # type: ignore[index]


def test_names_that_differ_in_commas_stay_apart() -> None:
    algorithms = tree(scripted("a,b", [0.5, 0.6]), scripted("a b", [0.4, 0.3]))
    assert list(algorithms) == ["a b", "a b (2)"]
