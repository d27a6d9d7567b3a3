"""Evaluations of a training run, beside it or in its way, from copies of the weights."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from camcontrol.selection_env import SelectionEnv
from qplex_hrl.agent import Agent
from qplex_hrl.evaluation.evaluate import evaluate
from qplex_hrl.evaluation.film import DRAWING_ERRORS, Film
from qplex_hrl.evaluation.players import AgentPlayer, ParallelPlayers
from qplex_hrl.runtime.signals import Interrupted
from qplex_hrl.storage.stored_values import NotFiniteError

_LOG = logging.getLogger(__name__)


class EvaluationFailed(RuntimeError):
    """An evaluation raised an error, which is the cause of this one."""


class Evaluator:
    """Plays evaluations one after the other, in a thread of its own or at once.

    It has environments and weights of its own and draws no random numbers, so both ways give equal
    numbers and neither changes what runs beside it.
    """

    def __init__(
        self,
        teams: Sequence[tuple[SelectionEnv, Agent]],
        *,
        in_thread: bool,
        prepare_thread: Callable[[], None] = lambda: None,
        film: Film | None = None,
    ) -> None:
        """Take over environments and agents.

        Args:
            teams: who plays side by side where there is enough to play: environments, and a greedy
                agent for as many, whose weights are replaced.
            in_thread: play beside the caller.
            prepare_thread: called once in the new thread.
            film: makes the videos.
        """
        self.beside = in_thread
        """Whether evaluations are played beside the caller."""

        self._film = film
        self._agents = [agent for _, agent in teams]
        # A run that trains beside its evaluations has cores for all players of the last one.
        self._players = ParallelPlayers(
            [AgentPlayer(env, agent) for env, agent in teams],
            n_beside=len(teams) if in_thread else None,
        )
        self._pool = (
            ThreadPoolExecutor(1, "evaluator", initializer=prepare_thread) if in_thread else None
        )

    # Any: the evaluation is a JSON object of numbers, lists and text.
    def start(
        self,
        weights: Mapping[str, Tensor],
        seeds: NDArray[np.uint64],
        timestep: int,
        provenance: Mapping[str, object],
        video: Path | None = None,
    ) -> Future[dict[str, Any]]:
        """Return the evaluation of cameras to come; without a thread, when it is done.

        It holds ``selections``, too: how often each action was decided, ``slow``, and how often it
        replaced another one within a decision, ``fast``. Its result raises ``EvaluationFailed`` if
        anything goes wrong.

        Args:
            weights: of ``CameraNetwork``; nobody changes them any more.
            seeds: [M], one per episode.
            timestep: training progress of the weights.
            provenance: see ``evaluate``.
            video: where a short one goes, if there is a film; None: none is made. If it cannot be
                made, a warning says so, and there are no further ones.
        """
        work = (weights, seeds, timestep, provenance, video)
        if self._pool is not None:
            return self._pool.submit(self._play, *work)
        done: Future[dict[str, Any]] = Future()
        done.set_result(self._play(*work))
        return done

    def close(self) -> None:
        """Give up what is under way, at its next decision, and end the thread."""
        self._players.stop()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _play(
        self,
        weights: Mapping[str, Tensor],
        seeds: NDArray[np.uint64],
        timestep: int,
        provenance: Mapping[str, object],
        video: Path | None,
    ) -> dict[str, Any]:
        try:
            for agent in self._agents:
                agent.load_weights(weights)
            before = self._players.selections
            result = evaluate(self._players, seeds, timestep=timestep, provenance=provenance)
            slow, fast = (self._players.selections - before).tolist()
            if video is not None:
                self._record(weights, timestep, video)
            return result | {"selections": {"slow": slow, "fast": fast}}
        except (Interrupted, NotFiniteError):  # the former in the caller's thread
            raise
        except Exception as error:
            msg = f"the evaluation of timestep {timestep} failed: {type(error).__name__}: {error}"
            raise EvaluationFailed(" ".join(msg.split())) from error

    def _record(self, weights: Mapping[str, Tensor], timestep: int, video: Path) -> None:
        """Make a video if there is a film; one that fails is the last one, and told."""
        if self._film is None:
            return
        try:
            self._film.record(weights, timestep, video)
        except DRAWING_ERRORS as error:
            self._film = None
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            _LOG.warning("no video %s (%s), and no further ones", video, reason)
