"""A short video of cameras with the weights that it is given."""

from pathlib import Path

import numpy as np
import pytest
import torch
from paths import CONFIGS
from PIL import Image

from camsim.scenario.schema import load_scenario
from qplex_hrl.config import load_config
from qplex_hrl.data.make_env import build_env, model_dims
from qplex_hrl.evaluation.film import Film, can_film
from qplex_hrl.evaluation.trained import TrainedCameras, greedy_agent
from qplex_hrl.model import CameraNetwork, camera_network


@pytest.mark.slow
def test_a_film_shows_the_weights_that_it_is_given(tmp_path: Path) -> None:
    assert can_film()
    config = load_config(CONFIGS / "smoke.yaml")  # episodes of 41 frames
    n_made = 0

    def network(seed: int) -> CameraNetwork:
        torch.manual_seed(seed)
        return camera_network(model_dims(env), torch.from_numpy(env.selection_bits), config.network)

    env = build_env(config, 1)

    def make_team() -> TrainedCameras:
        nonlocal n_made
        n_made += 1
        agent = greedy_agent(network(0), env, torch.device("cpu"))
        return TrainedCameras(config, 0, env, agent, load_scenario(config.env.scenario))

    film = Film(make_team, seed=3)
    assert n_made == 0
    paths = [tmp_path / name for name in ("a.gif", "again.gif", "b.gif")]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        film.record(network(seed).state_dict(), 7, path)
    assert n_made == 1
    contents = [path.read_bytes() for path in paths]
    assert contents[0] == contents[1] != contents[2]
    with Image.open(paths[0]) as picture:
        assert picture.n_frames == 14  # type: ignore[attr-defined]  # frames 0, 3, ..., 39
        assert picture.size[0] == 320
        assert np.asarray(picture.convert("RGB")).std() > 0
