"""Didactic games: their data, and what each mixer learns of the first by the real learner."""

import pytest
import torch

from qplex_hrl.didactic import GAMES, benchmark_didactic, every_decision, learn


def test_games_are_those_of_the_paper() -> None:
    first, second = GAMES["matrix 1"].reward[0], GAMES["matrix 2"].reward[0]
    assert first.tolist() == [[8, -12, -12], [-12, 0, 0], [-12, 0, 0]]
    assert second.tolist() == [[8, -12, -12], [-12, 6, 0], [-12, 0, 6]]


def test_values_of_the_two_states() -> None:
    """By hand: 1 / (1 - 0.9) for always (0, 0), a step later for two that stay, else nothing."""
    wanted = torch.tensor([[[10.0, 9.0], [9.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    torch.testing.assert_close(GAMES["two states"].values(0.9), wanted)


def test_decisions_carry_reward_and_following_state() -> None:
    decisions = every_decision(GAMES["two states"])
    assert decisions.actions[:, 0].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]] * 2
    assert decisions.reward[:, 0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert decisions.state.argmax(-1).tolist() == [[0, 0], [0, 0], [0, 0], [0, 1]] + 4 * [[1, 1]]
    assert not decisions.terminated.any()
    assert every_decision(GAMES["matrix 1"]).terminated.all()


@pytest.mark.parametrize("mixer", ["vdn", "qmix"])
def test_vdn_and_qmix_miss_the_optimum_of_the_first_game(mixer: str) -> None:
    assert not learn(GAMES["matrix 1"], mixer, seed=0, n_updates=500).optimal


def test_qplex_finds_the_optimum_of_the_first_game() -> None:
    outcome = learn(GAMES["matrix 1"], "qplex", seed=0, n_updates=1500)
    assert outcome.optimal
    assert outcome.table_error < 0.5


@pytest.mark.parametrize(("n_seeds", "mixers"), [(0, ("vdn",)), (1, ("vdm",))])
def test_bad_input_is_refused(n_seeds: int, mixers: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"--(seeds|mixers) .*: expected"):
        benchmark_didactic(n_seeds, mixers)
