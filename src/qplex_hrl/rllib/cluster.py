"""The Ray cluster that a training runs on: one that exists, or one of this machine for the run."""

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from qplex_hrl.config import RunConfig

__all__ = ["RLLIB_LOG_LEVEL", "ClusterError", "check_ray", "cluster", "joins_a_cluster"]

OBJECT_STORE_BYTES = 256 * 2**20  # at least; a chunk of every worker and a few copies of weights
CHUNK_BYTES_PER_ENV = 2**19  # generous: chunk and state of one environment

RLLIB_LOG_LEVEL = "CRITICAL"  # what it tells meanwhile, the collector tells better

_LOG = logging.getLogger(__name__)
_SETTINGS = {  # read by Ray when it is imported, inherited by every process it starts
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}


class ClusterError(ValueError):
    """The cluster cannot do what the run needs; the text is one line."""


def check_ray() -> None:
    """Prepare for the import of Ray.

    Raises:
        ClusterError: it is not installed.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import_module("ray.rllib")
        logging.getLogger("ray.rllib").setLevel(RLLIB_LOG_LEVEL)  # importing has set it, too
    except ImportError as error:
        raise ClusterError(
            f"training with Ray needs ray[rllib,tune] >= 2.50 ({error}): "
            'pip install "qplex-hrl[ray]"'
        ) from None


def joins_a_cluster(address: str | None) -> bool:
    """Whether `cluster` joins one that exists, instead of starting one of this machine."""
    return address is not None or bool(os.environ.get("RAY_ADDRESS"))


@contextmanager
def cluster(config: RunConfig, address: str | None, n_trials: int = 1) -> Iterator[None]:
    """Join the cluster at ``address``, or start one on this machine for the time of the block.

    A cluster of this machine counts as many processors as the workers need, whatever there is; if
    this process is killed, all of its processes end with it.

    Args:
        config: of the run.
        address: as Ray writes it, such as ``auto`` or ``ray://host:10001``; None: the environment
            variable RAY_ADDRESS, else this machine alone.
        n_trials: runs at the same time.

    Raises:
        ClusterError: the cluster cannot be reached or started.
    """
    import ray

    n_wanted = n_trials * (config.ray.num_workers + 1)
    with tempfile.TemporaryDirectory(prefix="qplex-", ignore_cleanup_errors=True) as folder:
        try:
            if joins_a_cluster(address):
                cleanup = None
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            else:
                n_cores = os.cpu_count() or 1
                if n_wanted > n_cores:
                    _LOG.warning(
                        "%d rollout workers and the learner share %d cores", n_wanted - 1, n_cores
                    )
                cleanup = _start_cleanup(Path(folder))
                n_envs = n_trials * config.ray.num_workers * config.ray.num_envs_per_worker
                ray.init(
                    num_cpus=max(n_wanted, n_cores),
                    include_dashboard=False,
                    object_store_memory=OBJECT_STORE_BYTES + n_envs * CHUNK_BYTES_PER_ENV,
                    log_to_driver=False,
                    logging_level="ERROR",
                    _temp_dir=folder,
                )
        except (ConnectionError, RuntimeError, TimeoutError, ValueError, OSError) as error:
            raise ClusterError(f"Ray did not start: {' '.join(str(error).split())}") from error
        try:
            yield
        finally:
            ray.shutdown()
            if cleanup is not None:
                cleanup.communicate()


def _start_cleanup(folder: Path) -> "subprocess.Popen[bytes]":
    """Start the process that cleans up if this one is killed; it ends when its input closes."""
    return subprocess.Popen(
        [sys.executable, "-m", "qplex_hrl.rllib.orphan_cleanup", str(os.getpid()), str(folder)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
