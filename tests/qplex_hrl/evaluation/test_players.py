"""Players: which episodes count, and players side by side."""

import threading

import numba
import numpy as np
import pytest
from fake_env import FakeEnv, FakeOutput
from numpy.typing import NDArray
from tiny import CPU, tiny_model

from camsim.tables import EPISODE_COLUMNS
from qplex_hrl.evaluation import players
from qplex_hrl.evaluation.players import (
    AgentPlayer,
    ParallelPlayers,
    PlayStopped,
    environment_shares,
)
from qplex_hrl.evaluation.trained import greedy_agent
from qplex_hrl.runtime.seeding import episode_seeds
from qplex_hrl.runtime.threads import numba_threads

SEEDS = episode_seeds(0, 7)
WAIT = 30.0


needs_two_threads = pytest.mark.skipif(
    numba.config.NUMBA_NUM_THREADS < 2,  # type: ignore[attr-defined]
    reason="Numba was started with one thread",
)


def player(n_envs: int, env: FakeEnv | None = None) -> AgentPlayer:
    env = FakeEnv(n_envs, p_terminate=0.15) if env is None else env
    return AgentPlayer(env, greedy_agent(tiny_model(env).agent, env, CPU))  # type: ignore[arg-type]


@pytest.mark.parametrize("n_envs", [1, 2, 3, 7, 10])
def test_every_seed_gives_one_episode_whatever_the_number_of_environments(n_envs: int) -> None:
    alone = np.concatenate([player(1).run_episodes(SEEDS[i : i + 1]) for i in range(7)])
    assert np.array_equal(player(n_envs).run_episodes(SEEDS), alone)
    lengths = alone[:, EPISODE_COLUMNS.index("length")]
    assert len(set(lengths.tolist())) > 3, "episodes of different lengths, short ones included"


def test_playing_twice_gives_the_same_episodes() -> None:
    playing = player(3)
    assert np.array_equal(playing.run_episodes(SEEDS), playing.run_episodes(SEEDS))


def test_a_batch_is_not_played_twice_over() -> None:
    """Two players of four environments each: one of them has room for four episodes."""
    steps = []

    class Counting(FakeEnv):
        def reset(self, seeds: NDArray[np.uint64]) -> FakeOutput:
            steps.append(seeds.tolist())
            return super().reset(seeds)

    ParallelPlayers([player(4, Counting(4)) for _ in range(2)]).run_episodes(SEEDS[:4])
    assert steps == [SEEDS[:4].tolist()]


@pytest.mark.parametrize("n_players", [1, 2, 3, 8])
@pytest.mark.parametrize("n_threads", [1, pytest.param(2, marks=needs_two_threads)])
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_players_side_by_side_play_what_one_plays(
    monkeypatch: pytest.MonkeyPatch, n_players: int, n_threads: int, layer: str
) -> None:
    monkeypatch.setattr(players, "threads_may_share_kernels", lambda: layer == "omp")
    team = ParallelPlayers([player(2) for _ in range(n_players)])
    with numba_threads(n_threads):
        episodes = team.run_episodes(SEEDS)
    assert np.array_equal(episodes, player(3).run_episodes(SEEDS))


def test_players_side_by_side_share_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(players, "threads_may_share_kernels", lambda: True)
    counts = []

    class Counting(FakeEnv):
        def reset(self, seeds: NDArray[np.uint64]) -> FakeOutput:
            counts.append(numba.get_num_threads())
            return super().reset(seeds)

    n_threads = numba.get_num_threads()
    ParallelPlayers([player(2, Counting(2)) for _ in range(2)]).run_episodes(SEEDS[:4])
    assert counts == [max(1, -(-n_threads // 2))] * 2
    assert numba.get_num_threads() == n_threads


def test_players_may_play_beside_each_other_with_kernels_of_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(players, "threads_may_share_kernels", lambda: True)
    both = threading.Barrier(2, timeout=WAIT)

    class Meeting(FakeEnv):
        def reset(self, seeds: NDArray[np.uint64]) -> FakeOutput:
            both.wait()
            return super().reset(seeds)

    pair = [player(2, Meeting(2)) for _ in range(2)]
    with numba_threads(1):
        ParallelPlayers(pair, n_beside=2).run_episodes(SEEDS[:4])


def test_a_stopped_player_gives_up_at_its_next_decision() -> None:
    stopping = player(2)
    stopping.stop()
    with pytest.raises(PlayStopped):
        stopping.run_episodes(SEEDS)


@needs_two_threads
def test_an_error_of_one_player_stops_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(players, "threads_may_share_kernels", lambda: True)
    broke = threading.Event()

    class Endless(FakeEnv):
        """A world that waits until the other is broken, and then goes on."""

        def step(self, actions: NDArray[np.int64], react: object = None) -> FakeOutput:
            assert broke.wait(WAIT)
            return super().step(actions)

    class Broken(FakeEnv):
        def step(self, actions: NDArray[np.int64], react: object = None) -> FakeOutput:
            broke.set()
            raise RuntimeError("no world")

    endless = Endless(2, p_terminate=0.0, max_decisions=10**9)
    with numba_threads(2), pytest.raises(RuntimeError, match="no world"):
        ParallelPlayers([player(2, endless), player(2, Broken(2))]).run_episodes(SEEDS)


@pytest.mark.parametrize(
    ("num_envs", "n_episodes", "shares"),
    [
        (64, 128, [32, 32]),
        (32, 32, [16, 16]),
        (64, 150, [25, 25]),  # three batches of 25, not of 32, 32 and 11
        (64, 3, [2, 2]),
        (3, 9, [1, 1]),
        (64, 1, [1]),
        (1, 9, [1]),
    ],
)
def test_players_have_equal_shares_of_the_environments(
    num_envs: int, n_episodes: int, shares: list[int]
) -> None:
    assert environment_shares(num_envs, n_episodes) == shares


def test_reactions_are_counted_where_they_replace_an_action() -> None:
    """Two cameras in two worlds; the second world has ended already."""

    class Reacting:
        reaction = staticmethod(lambda glance, avail, frame: np.array(after[frame]))

    after = {1: [[0, 1], [1, 1]], 2: [[2, 1], [2, 2]]}
    player = AgentPlayer(FakeEnv(2), Reacting())  # type: ignore[arg-type]
    react = player._counting(np.array([[0, 0], [0, 0]]), np.array([True, False]))
    assert react is not None
    for frame in after:
        assert react(np.zeros(0, np.float32), np.zeros(0, np.bool_), frame).tolist() == after[frame]
    assert player.selections[1, :3].tolist() == [0, 1, 1]
