"""Who plays an evaluation, and how: agents, scripted cameras, several players side by side.

Nothing here needs PyTorch. Cameras that learned are in `trained`.
"""

from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event
from typing import NamedTuple, Protocol

import numba
import numpy as np
from numpy.typing import NDArray

from camcontrol.planning_cameras import Planner, planning_env
from camcontrol.selection_env import React, SelectionEnv
from camsim.envs.scripted_env import ScriptedEnv
from camsim.layout import OBSERVATION_MODES
from camsim.scenario.parsing import suggestion
from camsim.scenario.schema import load_scenario
from camsim.scripted.spec import CAMERA_POLICIES, EXTERNAL, Link, camera_rules
from camsim.tables import EPISODE_COLUMNS
from qplex_hrl.runtime.threads import threads_may_share_kernels

DEFAULT_SCENARIO, DEFAULT_OPPONENT = "MATE-4v4-9", "greedy"  # of cameras that do not learn
EVALUATION_ENVS = 64  # environments of an evaluation, of all its players together
PLANNER, FULL_PLANNER, STEREO_PLANNER = "planner", "planner-full", "planner-stereo"
"""Cameras that look ahead: on what they know, seeing everything, or for stereo coverage."""

_PLANNERS = (PLANNER, FULL_PLANNER, STEREO_PLANNER)


class EvaluationSetting(NamedTuple):
    """Where a policy is evaluated; None leaves what it was trained in, or the default."""

    scenario: str | None = None  # preset, or file
    opponent: str | None = None  # policy of the targets
    shared_field_of_view: bool | None = None
    max_episode_steps: int | None = None  # frames after which an episode is cut off
    message_loss: float | None = None  # chance that a message between cameras is lost


class EpisodePlayer(Protocol):
    """A policy in its world: a trained agent, scripted cameras or a planner."""

    def run_episodes(self, seeds: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return the statistics [M, K] (EPISODE_COLUMNS) of one whole episode for each seed [M]."""


class PlayStopped(RuntimeError):
    """Somebody called `AgentPlayer.stop` while episodes were being played."""


class ActionSelector(Protocol):
    """Who chooses the cameras' actions in N environments: a trained agent or a planner."""

    @property
    def reaction(self) -> React | None:
        """Replaces actions within a decision; None: nobody does."""

    def act(self, obs: NDArray[np.float32], avail_actions: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return actions [N, C] of the next decision from obs [N, C, D] and masks [N, C, U]."""

    def reset_rows(self, ended: NDArray[np.bool_]) -> None:
        """Forget everything in the environments where ``ended`` [N] is true: a new episode."""


class AgentPlayer:
    """A trained agent that plays greedily, without exploration, or a planner."""

    def __init__(self, env: SelectionEnv, agent: ActionSelector) -> None:
        """Take N environments and an agent for as many."""
        self._env = env
        self._agent = agent
        self._stopped = Event()
        self._selections = np.zeros((2, env.n_actions), np.int64)

    def run_episodes(self, seeds: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return the statistics [M, K] of the first episode of each seed [M].

        N episodes run at a time until the longest has ended. Those that follow in the environments
        that finish early are not counted, so short episodes do not count more often than long ones.

        Raises:
            PlayStopped: another thread has called ``stop``.
        """
        n_envs = self._env.n_envs
        batches = [
            self._first_episodes(np.resize(seeds[i : i + n_envs], n_envs))
            for i in range(0, len(seeds), n_envs)
        ]
        return np.concatenate(batches)[: len(seeds)]

    @property
    def n_envs(self) -> int:
        """Episodes that run at a time, N."""
        return self._env.n_envs

    @property
    def selections(self) -> NDArray[np.int64]:
        """[2, U]: how often each action was decided, and how often by a reaction within a decision.

        Of all episodes played.
        """
        return self._selections.copy()

    def stop(self) -> None:
        """End what is being played at its next decision, for ever; from any thread."""
        self._stopped.set()

    def _first_episodes(self, seeds: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return the statistics [N, K] of the first episode of seeds [N]."""
        n_envs = self._env.n_envs
        self._agent.reset_rows(np.ones(n_envs, np.bool_))
        output = self._env.reset(seeds)
        statistics = np.zeros((n_envs, len(EPISODE_COLUMNS)))
        playing = np.ones(n_envs, np.bool_)
        while playing.any():
            if self._stopped.is_set():
                raise PlayStopped
            actions = self._agent.act(output.obs, output.avail_actions)
            _count(self._selections[0], actions[playing])
            output = self._env.step(actions, self._counting(actions, playing))
            ended = output.terminated | output.truncated
            statistics[playing & ended] = output.episode[playing & ended]
            playing &= ~ended
            self._agent.reset_rows(ended)
        return statistics

    def _counting(self, actions: NDArray[np.int64], playing: NDArray[np.bool_]) -> React | None:
        """Return the agent's reaction, which also counts what it replaces.

        Args:
            actions: [N, C] of the decision.
            playing: [N], the environments that count.
        """
        react, held = self._agent.reaction, actions
        if react is None:
            return None

        def counted(
            glance: NDArray[np.float32], avail_actions: NDArray[np.bool_], frame: int
        ) -> NDArray[np.int64]:
            nonlocal held
            before, held = held, react(glance, avail_actions, frame)
            _count(self._selections[1], held[(held != before) & playing[:, None]])
            return held

        return counted


def _count(counts: NDArray[np.int64], actions: NDArray[np.int64]) -> None:
    """Add to `counts` [U] how often each action occurs."""
    counts += np.bincount(actions.ravel(), minlength=len(counts))


class ParallelPlayers:
    """Players that each play their part of the episodes, side by side where threads may.

    While the cameras of one decide, the environments of another go on. Who plays what depends on
    the seeds alone, so the number of threads changes no result.
    """

    def __init__(self, players: Sequence[AgentPlayer], *, n_beside: int | None = None) -> None:
        """Take at least one player; no two share anything that changes.

        Args:
            players: who plays.
            n_beside: at most so many at a time; None: as many as the kernels have threads.
        """
        self._players = players
        self._n_beside = n_beside

    def run_episodes(self, seeds: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return the statistics [M, K] (EPISODE_COLUMNS) of one whole episode for each seed [M].

        An error of one player, or an interruption, ends all of them at their next decision. No
        more players take part than have a batch of their own to play.
        """
        n_batches = -(-len(seeds) // self._players[0].n_envs)
        n_players = min(len(self._players), n_batches)
        n_threads = numba.get_num_threads()
        most = n_threads if self._n_beside is None else self._n_beside
        n_beside = min(n_players, most) if threads_may_share_kernels() else 1
        each = -(-n_threads // n_beside)
        with ThreadPoolExecutor(n_beside, "player", numba.set_num_threads, (each,)) as pool:
            parts = zip(self._players, np.array_split(seeds, n_players), strict=False)
            played = [pool.submit(player.run_episodes, part) for player, part in parts]
            try:
                done, _ = wait(played, return_when=FIRST_EXCEPTION)
                for episodes in done:
                    episodes.result()  # raises what it ended with
            except BaseException:
                self.stop()
                raise
            return np.concatenate([episodes.result() for episodes in played])

    @property
    def selections(self) -> NDArray[np.int64]:
        """[2, U]: see `AgentPlayer.selections`, all players together."""
        counts: NDArray[np.int64] = np.sum([each.selections for each in self._players], axis=0)
        return counts

    def stop(self) -> None:
        """End what is being played at its next decision, for ever; from any thread."""
        for player in self._players:
            player.stop()


def environment_shares(num_envs: int, n_episodes: int) -> list[int]:
    """Return how many environments each of the players gets that together play `n_episodes`.

    There are two players, but one for a single episode or environment. A player's batches are about
    equally large, for the places that a last, smaller one leaves empty are played, too.
    """
    n_players = min(2, num_envs, n_episodes)
    most, to_play = num_envs // n_players, -(-n_episodes // n_players)
    n_batches = -(-to_play // most)
    return [-(-to_play // n_batches)] * n_players


def is_planner(camera_policy: str) -> bool:
    """Tell whether the name is that of a planner.

    Raises:
        ValueError: it is no name of cameras at all.
    """
    known = (*CAMERA_POLICIES, *_PLANNERS)
    if camera_policy not in (*known, EXTERNAL) and "=" not in camera_policy:
        raise ValueError(
            f"camera_policy = {camera_policy!r}; expected one of {', '.join(known)}"
            f"{suggestion(camera_policy, known)}"
        )
    return camera_policy in _PLANNERS


def planning_cameras(
    camera_policy: str, setting: EvaluationSetting, *, num_envs: int
) -> tuple[SelectionEnv, Planner]:
    """Return `num_envs` environments of `setting`, and who plays their cameras.

    Raises:
        ValueError: the scenario does not exist or has no cameras, nobody plays the targets, or
            cameras with views of their own shall plan for stereo coverage.
    """
    if setting.message_loss:
        raise ValueError(
            f"message_loss = {setting.message_loss}; expected 0: planners rely on knowing the same"
        )
    view = "shared" if setting.shared_field_of_view else "own"
    env = planning_env(
        load_scenario(setting.scenario or DEFAULT_SCENARIO),
        num_envs,
        view="full" if camera_policy == FULL_PLANNER else view,
        opponent=scripted_opponent(camera_policy, setting),
        goal="stereo_coverage" if camera_policy == STEREO_PLANNER else "coverage",
        max_episode_steps=setting.max_episode_steps,
    )
    return env, Planner(env)


def scripted_opponent(camera_policy: str, setting: EvaluationSetting) -> str:
    """Return the targets' policy in a world whose cameras are scripted.

    Raises:
        ValueError: a team would have no player.
    """
    opponent = setting.opponent or DEFAULT_OPPONENT
    if EXTERNAL in (camera_policy, opponent):
        raise ValueError(f"policy {EXTERNAL!r} leaves a team without a player")
    return opponent


def scripted_player(
    camera_policy: str, setting: EvaluationSetting, *, num_envs: int, n_episodes: int
) -> EpisodePlayer:
    """Return who plays `n_episodes` of `setting` with scripted or planning cameras.

    At most about `num_envs` of them run in parallel.

    Raises:
        ValueError: a policy or the scenario does not exist, a team would have no player, or a
            planner no camera.
    """
    if is_planner(camera_policy):
        return ParallelPlayers(
            [
                AgentPlayer(*planning_cameras(camera_policy, setting, num_envs=n_envs))
                for n_envs in environment_shares(num_envs, n_episodes)
            ]
        )
    opponent = scripted_opponent(camera_policy, setting)
    view = OBSERVATION_MODES["shared" if setting.shared_field_of_view else "own"]
    return ScriptedEnv(
        load_scenario(setting.scenario or DEFAULT_SCENARIO),
        min(num_envs, n_episodes),
        camera_policy=camera_rules(
            camera_policy, view=view, link=Link(dropout=setting.message_loss or 0.0)
        ),
        target_policy=opponent,
        max_episode_steps=setting.max_episode_steps,
    )
