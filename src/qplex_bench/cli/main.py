"""The commands `qplex-hrl benchmark …`: their flags, and what they must be."""

import argparse
import sys
from pathlib import Path

from qplex_bench.cli.budget import add_budget
from qplex_bench.cli.evader import add_evader
from qplex_bench.cli.gate import add_gate
from qplex_bench.cli.intervals import add_intervals
from qplex_bench.cli.reaction import add_reaction
from qplex_bench.cli.robustness import add_robustness
from qplex_bench.cli.speed import add_decision, add_torchrl, add_training
from qplex_bench.cli.table import add_ablation, add_table

__all__ = ["add_benchmarks"]


def add_benchmarks(benchmark: argparse.ArgumentParser) -> None:
    """Add all measurements to the command `benchmark`."""
    actions = benchmark.add_subparsers(required=True, metavar="what")
    _add_simulator_benchmark(actions.add_parser("simulator", help="steps per second of the world"))
    _add_learner_benchmark(actions.add_parser("learner", help="milliseconds per gradient update"))
    add_decision(actions.add_parser("decision", help="time and memory of a decision by part"))
    add_training(actions.add_parser("training", help="time of an update by part, of trainings"))
    add_torchrl(actions.add_parser("torchrl", help="frames per second through TorchRL"))
    add_budget(actions.add_parser("budget", help="memory and disk of trainings beside predictions"))
    _add_didactic(actions.add_parser("didactic", help="games with known values, mixer by mixer"))
    _add_reference(actions.add_parser("reference", help="scripted teams against upstream's"))
    _add_ray(actions.add_parser("ray", help="what Ray costs and gives, beside standalone training"))
    add_table(actions.add_parser("table", help="train and compare systems; can be stopped"))
    add_ablation(actions.add_parser("ablation", help="QPLEX HRL with one part changed, in a table"))
    add_evader(actions.add_parser("evader", help="train targets to evade, and measure it"))
    reactions = "trained cameras with their fast level, and without"
    add_reaction(actions.add_parser("reaction", help=reactions))
    add_gate(actions.add_parser("gate", help="what the adaptive mixer's gate has learned"))
    intervals = "how often the intervals of `compare` hold the truth"
    add_intervals(actions.add_parser("intervals", help=intervals))
    worlds = "trained cameras in worlds they were not trained in"
    add_robustness(actions.add_parser("robustness", help=worlds))


def _add_simulator_benchmark(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--upstream", type=Path, metavar="DIR", help="compare with the upstream MATE found there")
    add(
        "--upstream-python",
        type=Path,
        default=Path(sys.executable),
        metavar="PYTHON",
        help="interpreter that upstream runs in; default: this one",
    )
    parser.set_defaults(command=_benchmark_simulator)


def _add_didactic(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--seeds", type=int, default=10, metavar="N", help="runs of each; default: 10")
    add(
        "--mixers",
        nargs="+",
        default=("vdn", "qmix", "qplex", "qfix_vdn", "qfix_qmix", "adaptive"),
        metavar="NAME",
        help="default: vdn qmix qplex qfix_vdn qfix_qmix adaptive",
    )
    add("--jobs", type=int, default=1, metavar="N", help="runs at a time; default: 1")
    parser.set_defaults(command=_benchmark_didactic)


def _add_learner_benchmark(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--pymarl2", type=Path, metavar="DIR", help="compare with the PyMARL2 found there")
    add(
        "--pymarl2-python",
        type=Path,
        default=Path(sys.executable),
        metavar="PYTHON",
        help="interpreter that PyMARL2 runs in; default: this one",
    )
    add("--threads", type=int, default=1, metavar="N", help="of each learner; default: 1")
    parser.set_defaults(command=_benchmark_learner)


def _add_ray(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--config", type=Path, default=Path("configs/qplex_hrl_4v4_9.yaml"), metavar="FILE")
    add(
        "--parts",
        nargs="+",
        default=("rollout", "overhead", "scale"),
        metavar="PART",
        help="of rollout, overhead, scale, coverage; default: the first three",
    )
    add(
        "--timesteps",
        type=int,
        default=1_000_000,
        metavar="N",
        help="overhead, coverage; default: 1M",
    )
    add("--envs-per-worker", type=int, default=64, metavar="N", help="rollout, scale; default: 64")
    add(
        "--seeds",
        type=int,
        nargs="+",
        default=(0, 1, 2),
        metavar="N",
        help="coverage; default: 0 1 2",
    )
    add("--workers", type=int, default=2, metavar="N", help="coverage; default: 2")
    parser.set_defaults(command=_benchmark_ray)


def _add_reference(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--episodes", type=int, default=512, metavar="N", help="of each row; default: 512")
    add("--seed", type=int, default=0, help="of the episodes; default: 0")
    add(
        "--stats",
        type=Path,
        metavar="FILE.json",
        help="upstream's means; default: the shipped ones",
    )
    parser.set_defaults(command=_reference)


def _benchmark_simulator(args: argparse.Namespace) -> int:
    if args.upstream is not None:
        from qplex_bench.speed.upstream import compare_with_upstream

        return compare_with_upstream(args.upstream, args.upstream_python)
    from qplex_bench.speed.simulator import benchmark_simulator

    return benchmark_simulator()


def _benchmark_learner(args: argparse.Namespace) -> int:
    if args.threads < 1:
        raise ValueError(f"--threads {args.threads}: expected at least 1")
    from qplex_bench.speed.learner import benchmark_learner

    return benchmark_learner(args.pymarl2, args.pymarl2_python, args.threads)


def _benchmark_ray(args: argparse.Namespace) -> int:
    from qplex_bench.speed.ray import RayBenchmark, benchmark_ray

    for name in ("timesteps", "envs_per_worker", "workers"):
        if getattr(args, name) < 1:
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} {getattr(args, name)}: expected at least 1")
    plan = RayBenchmark(
        args.config,
        tuple(args.parts),
        args.timesteps,
        args.envs_per_worker,
        tuple(args.seeds),
        args.workers,
    )
    return benchmark_ray(plan)


def _benchmark_didactic(args: argparse.Namespace) -> int:
    from qplex_bench.studies.matrix_games import benchmark_didactic

    return benchmark_didactic(args.seeds, tuple(args.mixers), args.jobs)


def _reference(args: argparse.Namespace) -> int:
    from qplex_bench.agreement.reference import compare_with_reference, load_reference
    from qplex_hrl.runtime.seeding import episode_seeds

    if args.episodes < 2:
        raise ValueError(f"--episodes {args.episodes}: expected at least 2")
    if args.seed < 0:
        raise ValueError(f"--seed {args.seed}: expected at least 0")
    reference = load_reference(args.stats)
    return compare_with_reference(reference, episode_seeds(args.seed, args.episodes))
