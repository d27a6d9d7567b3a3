"""Training with Ray, from a configuration to all the files of a run; resume."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qplex_hrl.config import RunConfig
from qplex_hrl.rllib.cluster import check_ray, cluster, joins_a_cluster
from qplex_hrl.runtime.devices import resolve_device
from qplex_hrl.runtime.exit_codes import FAILED
from qplex_hrl.training.budget import check_budget
from qplex_hrl.training.loop import Iteration
from qplex_hrl.training.restore import find_saved_run
from qplex_hrl.training.trainer import check_trackers, execute

__all__ = ["build_algorithm", "train_ray"]

BUILD_ENV = "qplex_hrl.data.make_env.build_env"

_LOG = logging.getLogger(__name__)


def train_ray(
    config: RunConfig,
    resume: Path | None = None,
    log_level: str = "INFO",
    address: str | None = None,
    make_env: str = BUILD_ENV,
) -> int:
    """Train with rollout workers of a Ray cluster; return the process's exit code.

    Files, checkpoints and exit codes are those of ``qplex_hrl.training.trainer.train``.

    Args:
        config: of the run; ``env.num_envs`` is replaced by the number of all workers' environments.
        resume: checkpoint of either trainer to go on from, or a folder of such.
        log_level: of messages.
        address: of an existing cluster; None: RAY_ADDRESS, else one for this run on this machine.
        make_env: dotted name of a function (config, num_envs) that makes environments.

    Raises:
        ClusterError: Ray is not installed, the cluster does not start, or a worker does not.
        ValueError: as for ``train``.
        OSError: a file cannot be written.
    """
    check_trackers(config)
    check_ray()
    from qplex_hrl.rllib.remote_rollout import WorkersLost
    from qplex_hrl.rllib_policy import sharded

    config = sharded(config)
    # Environments of workers elsewhere are counted, too: that is little.
    n_workers = 0 if joins_a_cluster(address) else config.ray.num_workers
    budget = check_budget(config, n_workers=n_workers)
    resolve_device(config.training.device)
    checkpoint = None if resume is None else find_saved_run(resume, config)
    with cluster(config, address), build_algorithm(config, make_env) as algorithm:

        def iterate() -> Iteration:
            try:
                iteration: Iteration = algorithm.iterate()
            except WorkersLost as error:  # told here, where the run's log is open
                _LOG.error("training stopped: %s; the last checkpoint is kept", error)
                raise
            return iteration

        try:
            return execute(algorithm.run, checkpoint, log_level, iterate, budget)
        except WorkersLost:
            return FAILED


@contextmanager
def build_algorithm(config: RunConfig, make_env: str = BUILD_ENV) -> Iterator[Any]:
    """Return an algorithm that somebody else reports of and saves; stop it at the end.

    Args:
        config: of the run, shared out among its workers.
        make_env: dotted name of a function (config, num_envs) that makes environments.

    Raises:
        ClusterError: a worker cannot start.
    """
    from qplex_hrl.rllib_policy import QPLEXHRLConfig

    settings = QPLEXHRLConfig().training(run=config, make_env=make_env, write_files=False)
    algorithm = settings.build_algo()
    Path(algorithm.logdir).rmdir()  # made by Ray in the user's home; nothing goes there
    try:
        yield algorithm
    finally:
        algorithm.stop()
