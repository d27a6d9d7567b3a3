"""Rows of metrics from iterations, milestones of a run."""

import numpy as np
import pytest
import torch
from tiny import CPU, make_fake_env, tiny_config

from camsim.tables import EPISODE_COLUMNS
from qplex_hrl.training.loop import Iteration, TrainingLoop
from qplex_hrl.training.progress import History, ProgressWindow, evaluation_row, is_due


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> TrainingLoop:
    config = tiny_config(tmp_path_factory.mktemp("unused"))
    return TrainingLoop(config, make_fake_env(config, 4), CPU)  # type: ignore[arg-type]


def iteration(losses: list[float], coverages: list[float]) -> Iteration:
    episodes = np.zeros((len(coverages), len(EPISODE_COLUMNS)))
    episodes[:, EPISODE_COLUMNS.index("length")] = 10
    episodes[:, EPISODE_COLUMNS.index("coverage_sum")] = np.array(coverages) * 10
    updates = [{"loss": torch.tensor(x), "q_tot": torch.tensor(2 * x)} for x in losses]
    return Iteration(updates, episodes, n_frames=100)


def test_a_row_holds_means_over_what_happened(loop: TrainingLoop) -> None:
    window = ProgressWindow()
    window.add(iteration([1.0, 2.0], [0.5]))
    window.add(iteration([6.0], [0.1, 0.3]))
    row = window.close(loop)
    assert row["mean_loss"] == pytest.approx(3.0)
    assert row["q_tot"] == pytest.approx(6.0)
    assert row["train_coverage_rate"] == pytest.approx(0.3)
    assert row["epsilon"] == loop.epsilon
    assert row["frames_per_second"] > 0


def test_what_did_not_happen_is_missing_and_rows_begin_anew(loop: TrainingLoop) -> None:
    window = ProgressWindow()
    window.add(iteration([1.0], [0.5]))
    window.close(loop)
    window.add(iteration([], []))
    row = window.close(loop)
    assert "mean_loss" not in row
    assert "train_coverage_rate" not in row
    assert "train_selection_efficiency" not in row


def test_episodes_without_selections_do_not_count_as_inefficient(loop: TrainingLoop) -> None:
    window = ProgressWindow()
    window.add(iteration([], [0.5]))
    assert "train_selection_efficiency" not in window.close(loop)


@pytest.mark.parametrize(
    ("timestep", "last", "due"),
    [(0, 0, False), (99, 0, False), (100, 0, True), (199, 100, False), (350, 199, True)],
)
def test_milestones_are_multiples_of_the_interval(timestep: int, last: int, due: bool) -> None:
    assert is_due(timestep, last, 100) is due


def test_the_history_knows_every_evaluation_and_the_best() -> None:
    history = History()
    coverages = (0.3, 0.5, 0.5, 0.6, 0.4)
    for i, coverage in enumerate(coverages):
        history.take_evaluation(i, {"mean_coverage_rate": coverage}, 1.0 * i)
    assert history.best_coverage == 0.6
    assert history.evaluated == 4
    assert [e["mean_coverage_rate"] for e in history.evaluations] == list(coverages)


def test_the_row_of_an_evaluation_has_numbers_only() -> None:
    evaluation = {"mean_a": 1.0, "std_a": None, "ci95_a": [0.0, 2.0], "n_episodes": 3}
    assert evaluation_row(evaluation) == {"mean_a": 1.0}


def test_the_time_to_the_reference_is_that_of_the_first_weights_that_reach_it() -> None:
    history = History()
    for seconds, coverage in ((10.0, 0.7), (20.0, 0.725), (30.0, 0.8)):
        history.take_evaluation(1, {"mean_coverage_rate": coverage}, seconds)
    assert history.seconds_to_coverage == 20.0
