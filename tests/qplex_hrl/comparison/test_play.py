import numpy as np
import pytest
from made_up_evaluations import evaluation
from paths import PRETRAINED
from tiny import CPU

from qplex_hrl.comparison.contestants import Contestant, TrainedRun
from qplex_hrl.comparison.play import play_all, table_of_metric
from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.runtime.seeding import episode_seeds


def test_what_an_episode_does_not_define_is_nan() -> None:
    table = table_of_metric([evaluation([0.1, 0.2])] * 3, "coverage_rate")
    np.testing.assert_array_equal(table, [[0.1, 0.2]] * 3)
    assert np.isnan(table_of_metric([evaluation([0.1])], "selection_efficiency")).all()


@pytest.mark.jit
def test_all_play_the_same_episodes() -> None:
    run = TrainedRun(PRETRAINED / "qplex_hrl_4v2_9.pth", None)
    contestants = [Contestant("greedy", "greedy", ()), Contestant("two", None, (run, run))]
    world = EvaluationSetting("MATE-4v2-9", "greedy", max_episode_steps=10)
    told: list[str] = []
    greedy, two = play_all(contestants, world, episode_seeds(0, 3), CPU, told.append)
    assert told == [
        "playing 3 episodes of greedy ...",
        "playing 3 episodes of two, run 1 of 2 ...",
        "playing 3 episodes of two, run 2 of 2 ...",
    ]
    assert [len(greedy), len(two)] == [1, 2]
    assert greedy[0]["seeds"] == two[0]["seeds"] == episode_seeds(0, 3).tolist()
    assert two[0]["episodes"] == two[1]["episodes"]
