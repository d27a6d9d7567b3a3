"""A world that can be made in the driver, and not in a rollout worker."""

import sys

from camcontrol.selection_env import SelectionEnv
from qplex_hrl.config import RunConfig
from qplex_hrl.data.make_env import build_env


def make(config: RunConfig, num_envs: int) -> SelectionEnv:
    if "default_worker.py" in sys.argv[0]:
        raise OSError("no such world")
    return build_env(config, num_envs)
