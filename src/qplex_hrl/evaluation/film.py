"""A short video of cameras that learn, always of the same episode."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from torch import Tensor

from camcontrol.selection_env import SelectionEnv
from qplex_hrl.agent import Agent
from qplex_hrl.evaluation.episode_record import record_agent, render_episode

__all__ = ["Film", "can_film"]

N_FRAMES, STRIDE = 300, 3  # of the episode, and those between two pictures
FPS, SIZE = 12.0, 320


def can_film() -> bool:
    """Tell whether the extra `viz`, which draws pictures, is installed."""
    return find_spec("PIL") is not None


class Film:
    """Plays the first frames of one episode with the weights it is given, and draws them."""

    def __init__(self, make_team: Callable[[], tuple[SelectionEnv, Agent]], seed: int) -> None:
        """Prepare; nothing is made before the first video.

        Args:
            make_team: makes one environment, and a greedy agent for it.
            seed: of the evaluations, whose first episode is shown.
        """
        self._make_team = make_team
        self._team: tuple[SelectionEnv, Agent] | None = None
        self._seed = seed

    def record(self, weights: Mapping[str, Tensor], path: Path) -> None:
        """Write the video of cameras with these weights as .gif.

        Raises:
            OSError: the file cannot be written.
        """
        env, agent = self._team = self._team or self._make_team()
        agent.load_weights(weights)
        frames = record_agent(env, agent, self._seed)
        render_episode(islice(frames, 0, N_FRAMES, STRIDE), path, size=SIZE, fps=FPS)
