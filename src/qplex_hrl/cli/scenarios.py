"""The commands `qplex-hrl scenarios ...`: list, show, generate, verify."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qplex_hrl.cli.flags import Parser
from qplex_hrl.runtime.exit_codes import BAD_INPUT, DONE, FAILED

if TYPE_CHECKING:
    from camsim.parity.trace import Trace
    from camsim.parity.verify import Verification
    from camsim.scenario.schema import Scenario

__all__ = ["add_scenarios"]

_SUFFIXES = (".yaml", ".yml", ".json")


# The class of what `add_subparsers` returns has no public name.
def add_scenarios(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add `scenarios` and its actions to the command line."""
    scenarios = commands.add_parser("scenarios", help="list, show, generate or verify scenarios")
    actions = scenarios.add_subparsers(required=True, metavar="action")
    actions.add_parser("list", help="names and sizes").set_defaults(command=_list)
    show = actions.add_parser("show", help="one scenario in full, as YAML, or as a picture")
    show.add_argument("name", help="preset, path of a MATE-format file, or checkpoint (.pth)")
    show.add_argument("--picture", type=Path, metavar="FILE.png", help="draw a start of it instead")
    show.set_defaults(command=_show)
    _add_generate(actions.add_parser("generate", help="make a scenario for teams of any size"))
    verify = actions.add_parser(
        "verify",
        help="replay recordings of MATE step by step",
        description="Replays every step of traces in the golden format from its recorded state and "
        "compares all that follows. Exit code 0: all agree, 1: some quantity disagrees, 2: a file "
        "is no trace.",
    )
    verify.add_argument("traces", nargs="+", type=Path, metavar="TRACE.npz", help="recordings")
    verify.set_defaults(command=_verify, plays=True)


def _add_generate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--cameras", type=int, required=True, metavar="N", help="0 or more")
    add("--targets", type=int, required=True, metavar="N", help="1 or more")
    add("--obstacles", type=int, required=True, metavar="N", help="0 or more")
    add("--transmittance", type=float, default=0.1, metavar="P", help="default: 0.1")
    add("--cargoes-per-target", type=int, default=8, metavar="N", help="default: 8, at least 4")
    add("--seed", type=int, default=0, help="of the cameras' places; default: 0")
    add(
        "--output",
        type=Path,
        metavar="FILE",
        help="write there, as JSON if it ends in .json, as YAML if in .yaml or .yml; an existing "
        "file is kept unless --force is given; default: print YAML",
    )
    add("--force", action="store_true", help="replace the output file if it exists")
    parser.set_defaults(command=_generate)


def _list(args: argparse.Namespace) -> int:
    from camsim.scenario.schema import load_scenario, preset_names

    print(f"{'name':<16} {'cameras':>7} {'targets':>7} {'obstacles':>9}")
    for name in preset_names():
        world = load_scenario(name)
        print(f"{name:<16} {world.n_cameras:>7} {world.n_targets:>7} {world.n_obstacles:>9}")
    return DONE


def _show(args: argparse.Namespace) -> int:
    from camsim.scenario.schema import load_scenario

    if Path(args.name).suffix == ".pth":
        from qplex_hrl.evaluation.policy_file import load_policy

        path = Path(args.name)
        scenario = load_policy(path).world(path)
    else:
        scenario = load_scenario(args.name)
    if args.picture is not None:
        from camsim.render import picture_of_scenario

        picture_of_scenario(scenario, args.picture)
        print(f"written to {args.picture}")
    else:
        print(_as_yaml(scenario), end="")
    return DONE


def _generate(args: argparse.Namespace) -> int:
    from camsim.scenario.generator import generate_scenario

    _check_output(args.output, args.force)
    scenario = generate_scenario(
        args.cameras,
        args.targets,
        args.obstacles,
        transmittance=args.transmittance,
        cargoes_per_target=args.cargoes_per_target,
        seed=args.seed,
    )
    if args.output is None:
        print(_as_yaml(scenario), end="")
        return DONE
    if args.output.suffix.lower() == ".json":
        from camsim.files import atomic_write_json

        atomic_write_json(args.output, scenario.to_mapping())
    else:
        from camsim.files import atomic_write_text

        atomic_write_text(args.output, _as_yaml(scenario))
    print(f"written to {args.output}")
    return DONE


def _check_output(path: Path | None, force: bool) -> None:
    """Refuse a file that cannot be meant, before any work is done."""
    if path is None:
        return
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"--output {path}: expected a name that ends in {', '.join(_SUFFIXES)}")
    if path.is_dir():
        raise ValueError(f"--output {path}: a folder; expected a file")
    if path.exists() and not force:
        raise ValueError(f"--output {path}: exists; give --force to replace it")


def _as_yaml(scenario: "Scenario") -> str:
    import yaml

    content = scenario.to_mapping()
    text: str = yaml.safe_dump(content, sort_keys=False, default_flow_style=None)
    return text


def _verify(args: argparse.Namespace) -> int:
    from camsim.parity.trace import TraceError, load_trace
    from camsim.parity.verify import sight_share_allowed, verify_trace
    from camsim.scenario.schema import ScenarioError

    reports, code = [], DONE
    for path in args.traces:
        try:
            trace = load_trace(path)
            report = verify_trace(trace)
        except (TraceError, ScenarioError) as error:
            print(f"error: {error}", file=sys.stderr)
            code = BAD_INPUT
            continue
        reports.append(report)
        _print_report(path, trace, report)
    together = sight_share_allowed(reports)
    _print_total(reports, together)
    if code == DONE and not (together and all(report.agrees for report in reports)):
        code = FAILED
    return code


def _print_report(path: Path, trace: "Trace", report: "Verification") -> None:
    sizes = f"{trace.n_cameras} cameras, {trace.n_targets} targets, {trace.n_obstacles} obstacles"
    title = trace.meta.get("scenario", "unnamed scenario")
    print(f"{path}: {title}, {sizes}, {trace.n_frames} steps")
    print(f"  {'quantity':<24} {'compared':>9} {'skipped':>8} {'largest error':>14}  verdict")
    for row in report.comparisons.values():
        counts = f"{row.compared:>9} {row.skipped:>8} {row.largest_error:>14.3g}"
        verdict = "agrees" if row.agrees else f"DISAGREES ({row.failed}): {row.first_failure}"
        print(f"  {row.quantity:<24} {counts}  {verdict}")
    if trace.transmittance > 0.0:
        seen = f"{report.hidden_seen} of {report.hidden_pairs}"
        print(f"  seen through obstacles: {seen}, transmittance {trace.transmittance:g}")
    print(f"  {'all agree' if report.agrees else 'DISAGREES'}\n")


def _print_total(reports: "Sequence[Verification]", together: bool) -> None:
    if not reports:
        return
    agreeing = sum(report.agrees for report in reports)
    pairs = sum(report.pairs_in_view for report in reports)
    tangent = sum(report.tangent_pairs for report in reports)
    print(f"{agreeing} of {len(reports)} traces agree; ", end="")
    print(f"{tangent} of {pairs} pairs in view differ at the edge of a shadow", end="")
    print("" if together else ", more than the 0.1 % allowed")
