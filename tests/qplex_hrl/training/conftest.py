"""A run that others are compared with."""

import pytest
from tiny import tiny_config
from tiny_runs import run

from qplex_hrl.config import RunConfig
from qplex_hrl.runtime.exit_codes import DONE


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """An uninterrupted run that others are compared with."""
    config = tiny_config(tmp_path_factory.mktemp("whole"), logging={"tensorboard": True})
    assert run(config) == DONE
    return config
