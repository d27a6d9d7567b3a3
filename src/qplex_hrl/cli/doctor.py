"""The command `qplex-hrl doctor`."""

import argparse
import os

from qplex_hrl.cli.flags import Parser
from qplex_hrl.runtime.exit_codes import DONE, FAILED

__all__ = ["add_doctor"]


# The class of what `add_subparsers` returns has no public name.
def add_doctor(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add `doctor` to the command line."""
    doctor = commands.add_parser("doctor", help="show versions and check that kernels compile")
    doctor.set_defaults(command=_doctor)


def _doctor(args: argparse.Namespace) -> int:
    import time

    import numba
    import numpy as np
    import torch

    from camsim.scenario.schema import load_scenario
    from camsim.sim import BatchSim
    from qplex_hrl.runtime.provenance import code_commit, package_versions

    for name, version in package_versions().items():
        print(f"{name:<12} {version or 'not installed'}")
    print(f"{'commit':<12} {code_commit() or 'unknown'}")
    print(f"{'cores':<12} {os.cpu_count()}")
    print(f"{'threads':<12} numba {numba.get_num_threads()}, torch {torch.get_num_threads()}")
    print(f"{'cuda':<12} {torch.cuda.device_count()} devices")
    started = time.perf_counter()
    simulator = BatchSim(load_scenario("MATE-4v4-9"), 2)
    simulator.reset(np.arange(2, dtype=np.uint64))
    simulator.step(np.zeros((2, 4, 2)), np.zeros((2, 4, 2)))
    finite = bool(np.isfinite(simulator.observe().camera_obs).all())
    seconds = time.perf_counter() - started
    print(f"{'kernels':<12} {'compiled and ran' if finite else 'WRONG'} in {seconds:.1f} s")
    return DONE if finite else FAILED
