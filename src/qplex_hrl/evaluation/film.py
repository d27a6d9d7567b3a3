"""A short video of cameras that learn, always of the same episode."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from torch import Tensor

from qplex_hrl.evaluation.episode_record import record_cameras, render_episode
from qplex_hrl.evaluation.trained import TrainedCameras

__all__ = ["DRAWING_ERRORS", "Film", "can_film"]

DRAWING_ERRORS = (OSError, ValueError, LookupError, TypeError, AttributeError, ImportError)
"""What a library of pictures raises when it is damaged or too old, and a full disk."""

N_FRAMES, STRIDE = 300, 3  # of the episode, and those between two pictures
FPS, SIZE = 12.0, 320


def can_film() -> bool:
    """Tell whether the extra `viz`, which draws pictures, is installed."""
    return find_spec("PIL") is not None


class Film:
    """Plays the first frames of one episode with the weights it is given, and draws them."""

    def __init__(self, make_team: Callable[[], TrainedCameras], seed: int) -> None:
        """Prepare; nothing is made before the first video.

        Args:
            make_team: makes greedy cameras in one environment.
            seed: of the evaluations, whose first episode is shown.
        """
        self._make_team = make_team
        self._team: TrainedCameras | None = None
        self._seed = seed

    def record(self, weights: Mapping[str, Tensor], timestep: int, path: Path) -> None:
        """Write the video of cameras with these weights as .gif.

        Args:
            weights: of the cameras' network.
            timestep: of training, told in the title.
            path: the file.

        Raises:
            DRAWING_ERRORS: the pictures cannot be drawn, or the file cannot be written.
        """
        team = self._team = self._team or self._make_team()
        team.agent.load_weights(weights)
        cameras = team._replace(timestep=timestep)
        episode = record_cameras(cameras, f"after {timestep:,} frames", self._seed)
        shown = islice(episode.frames, 0, N_FRAMES, STRIDE)
        render_episode(episode._replace(frames=shown), path, size=SIZE, fps=FPS)
