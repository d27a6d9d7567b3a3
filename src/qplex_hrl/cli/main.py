"""The command `qplex-hrl`: everything a person does with this project.

Exit codes: 0 done, 1 a check failed, training diverged or a package cannot be imported, 2 bad input
(one line on standard error), 130 interrupted. Heavy modules are imported by the commands that need
them.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import import_module
from typing import NoReturn

from qplex_hrl.cli.compare import add_compare
from qplex_hrl.cli.doctor import add_doctor
from qplex_hrl.cli.evaluate import add_evaluate
from qplex_hrl.cli.export import add_export
from qplex_hrl.cli.flags import check_values
from qplex_hrl.cli.play import add_render
from qplex_hrl.cli.replay import add_replay
from qplex_hrl.cli.scenarios import add_scenarios
from qplex_hrl.cli.train import add_train
from qplex_hrl.runtime.exit_codes import BAD_INPUT, DONE, FAILED, INTERRUPTED
from qplex_hrl.runtime.signals import ended_as_by_ctrl_c

__all__ = ["main"]

_LOG = logging.getLogger(__name__)
_LONGEST = 500  # characters of a message


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the process's exit code.

    Args:
        arguments: of the command line; those of this process if None.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    args = _build_parser(benchmarks=words[:1] == ["benchmark"]).parse_args(words)
    # PyTorch and Numba each bring OpenMP, whose idle threads spin while the other's work: with more
    # programs on the machine evaluation is six times slower then. Read when they are imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    code = _code_of(args)
    try:
        sys.stderr.flush()
    except OSError:  # of a terminal that is gone; Python would end with another code
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    return code


def _code_of(args: argparse.Namespace) -> int:
    """Run the command, tell an error in one line, return the exit code."""
    try:
        with ended_as_by_ctrl_c():
            code = _run(args)
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (ValueError, OSError) as error:
        _LOG.debug("stopped by", exc_info=True)
        _complain(f"error: {_one_line(error)}")
        return BAD_INPUT
    except ImportError as error:
        _LOG.debug("stopped by", exc_info=True)
        _complain(f"error: {_one_line(error)}; see `qplex-hrl doctor`")
        return FAILED
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    return code


def _run(args: argparse.Namespace) -> int:
    """Run the command; say so if it compiles kernels first."""
    check_values(args)
    with _compilation_told() if getattr(args, "plays", False) else nullcontext():
        code: int = args.command(args)
    return code


def _compilation_told() -> AbstractContextManager[None]:
    """Return what tells of compilation, where there is a compiler."""
    try:
        from qplex_hrl.runtime.compilation import compilation_told
    except Exception:  # a damaged compiler can fail in any way: the command itself says how
        return nullcontext()
    return compilation_told(_say)


def _say(text: str) -> None:
    """Print to standard error, which whoever draws on the terminal may have replaced since."""
    print(text, file=sys.stderr, flush=True)


class _Version(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *given: object) -> None:
        from importlib.metadata import version

        print(f"qplex-hrl {version('qplex-hrl')}")
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """Tells a wrong command line in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"error: {self.prog}: {_shortened(message)}\n")


def _build_parser(*, benchmarks: bool) -> argparse.ArgumentParser:
    """Return the parser; that of `benchmark` knows its own commands only if they are wanted."""
    parser = _Parser(prog="qplex-hrl", description=__doc__)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(required=True, metavar="command")
    add_train(commands)
    add_evaluate(commands)
    add_compare(commands)
    add_render(commands)
    add_replay(commands)
    add_export(commands)
    add_scenarios(commands)
    benchmark = commands.add_parser("benchmark", help="measure; fails where a stated bar is missed")
    benchmark.set_defaults(plays=True)
    if benchmarks:  # by name: nothing here depends on the package of our own evidence
        import_module("qplex_bench.cli.main").add_benchmarks(benchmark)
    add_doctor(commands)
    return parser


def _complain(text: str) -> None:
    """Print to standard error, whose terminal may be gone: the exit code tells all the same."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return _shortened(f"{error.filename}: {(error.strerror or 'failed').lower()}")
    return _shortened(str(error)) or type(error).__name__


def _shortened(message: str) -> str:
    """Return a message as one line; the middle of a long one is left out."""
    line = " ".join(message.split())
    half = _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[: half - 5]} ... {line[-half:]}"
