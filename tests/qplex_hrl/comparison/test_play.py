"""In which world all play the same episodes, and who cannot."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from paths import PRETRAINED
from tiny import CPU

from qplex_hrl.comparison import play
from qplex_hrl.comparison.contestants import Contestant, TrainedRun
from qplex_hrl.comparison.play import play_all, settle_world
from qplex_hrl.config import RunConfig
from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.runtime.seeding import episode_seeds


def trained(name: str) -> Contestant:
    return Contestant(name, None, (TrainedRun(PRETRAINED / f"qplex_hrl_{name}.pth", None),))


GREEDY = Contestant("greedy", "greedy", ())
OPEN = EvaluationSetting()


def test_scripted_cameras_play_where_checkpoints_were_trained() -> None:
    world = settle_world([GREEDY, trained("4v2_9")], OPEN, "coverage_rate", CPU)
    assert (world.scenario, world.opponent) == ("MATE-4v2-9", "greedy")
    assert settle_world([GREEDY, GREEDY], OPEN, "coverage_rate", CPU) == OPEN


def test_trainings_in_two_worlds_need_a_flag() -> None:
    both = [trained("4v2_9"), trained("4v4_9")]
    with pytest.raises(ValueError, match="--scenario: scenario is MATE-4v2-9 for 4v2_9, but MATE"):
        settle_world(both, OPEN, "coverage_rate", CPU)
    given = EvaluationSetting(scenario="MATE-4v4-9")
    assert settle_world(both, given, "coverage_rate", CPU).scenario == "MATE-4v4-9"


@pytest.mark.parametrize(
    ("contestants", "setting", "metric", "words"),
    [
        ([GREEDY], EvaluationSetting(scenario="MATE-9v9"), "coverage_rate", "MATE-9v9"),
        ([GREEDY], EvaluationSetting(opponent="grumpy"), "coverage_rate", "grumpy"),
        ([GREEDY], OPEN, "selection_efficiency", "greedy selects no targets"),
        ([trained("none")], OPEN, "coverage_rate", "none.pth"),
    ],
)
def test_who_cannot_play_is_told_before(
    contestants: list[Contestant], setting: EvaluationSetting, metric: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        settle_world(contestants, setting, metric, CPU)


def told(monkeypatch: pytest.MonkeyPatch, *worlds: dict[str, object]) -> list[TrainedRun]:
    """Return trainings in worlds that are given, which play without weights."""
    default = RunConfig()
    runs = {
        f"run{n}.pth": default.model_copy(update={"env": default.env.model_copy(update=changes)})
        for n, changes in enumerate(worlds)
    }
    monkeypatch.setattr(
        play, "load_policy", lambda path: SimpleNamespace(config=runs[path.name], scenario=None)
    )
    monkeypatch.setattr(play, "load_cameras", lambda *_, **__: None)
    return [TrainedRun(Path(name), None) for name in runs]


SHARED = {"shared_field_of_view": True}


def test_trainings_of_one_contestant_see_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = told(monkeypatch, {}, SHARED)
    both = Contestant("both", None, tuple(runs))
    with pytest.raises(ValueError, match=r"both: the cameras' view is own for .*, but shared"):
        settle_world([both, GREEDY], OPEN, "coverage_rate", CPU)
    given = EvaluationSetting(shared_field_of_view=True)
    settle_world([both, GREEDY], given, "coverage_rate", CPU)
    apart = [Contestant(run.checkpoint.stem, None, (run,)) for run in runs]
    settle_world(apart, OPEN, "coverage_rate", CPU)


def test_trainings_of_one_contestant_lose_as_many_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = told(monkeypatch, SHARED, {**SHARED, "message_loss": 0.5})
    with pytest.raises(ValueError, match=r"both: env.message_loss is 0.0 .* but 0.5"):
        settle_world([Contestant("both", None, tuple(runs)), GREEDY], OPEN, "coverage_rate", CPU)


@pytest.mark.parametrize("seeing", ["target", "both"])
def test_targets_see_the_same_everywhere(monkeypatch: pytest.MonkeyPatch, seeing: str) -> None:
    [run] = told(monkeypatch, {"enhanced_observation": seeing})
    with pytest.raises(ValueError, match="the targets' view is enhanced for a, but own for greedy"):
        settle_world([Contestant("a", None, (run,)), GREEDY], OPEN, "coverage_rate", CPU)


def test_cameras_that_turn_and_zoom_have_no_selections(monkeypatch: pytest.MonkeyPatch) -> None:
    [run] = told(monkeypatch, {"action_mode": "discrete"})
    planner = Contestant("planner", "planner", ())
    with pytest.raises(ValueError, match="--metric selection_efficiency: a selects no targets"):
        settle_world([Contestant("a", None, (run,)), planner], OPEN, "selection_efficiency", CPU)


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
