"""The table of systems: train and evaluate every run, each in its own process; stop and go on."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from camsim.files import atomic_write_json, atomic_write_text
from camsim.scenario.schema import load_scenario
from qplex_bench.tables.plan import (
    EPISODES_SEED,
    REGIMES,
    Run,
    RunStatus,
    TableSpec,
    begin_anew,
    drop_replays,
    plan_runs,
    read_json,
    status_of,
)
from qplex_bench.tables.report import (
    Outcome,
    Scripted,
    draw_curves,
    markdown_table,
    rich_table,
    table_of,
)
from qplex_bench.tables.untrained import untrained_player, untrained_rules
from qplex_hrl.data.make_env import build_env
from qplex_hrl.evaluation.evaluate import evaluate, evaluate_scripted
from qplex_hrl.evaluation.players import EVALUATION_ENVS, STEREO_PLANNER, EvaluationSetting
from qplex_hrl.evaluation.trained import provenance_of
from qplex_hrl.runtime.exit_codes import DONE, FAILED, INTERRUPTED
from qplex_hrl.runtime.seeding import episode_seeds
from qplex_hrl.runtime.signals import Interrupt, Interrupted

SCRIPTED = ("random", "naive", "heuristic", "greedy", "planner")
"""Cameras that do not learn and that any table can be completed with."""

_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 120.0  # for a run to save itself

Commands = Callable[[Run, RunStatus, TableSpec], list[str]]
"""Makes the command of a run's next step from where the run stands."""


def next_command(run: Run, status: RunStatus, spec: TableSpec) -> list[str]:
    """Return the command line that trains a run, goes on with it, or evaluates what it learned."""
    start = [sys.executable, "-m", "qplex_hrl"]
    if status.phase == "trained":
        checkpoint = ["evaluate", "--checkpoint", str(run.outputs.final)]
        episodes = ["--episodes", str(spec.episodes), "--seed", str(EPISODES_SEED)]
        device = ["--device", run.config.training.device]
        return [*start, *checkpoint, *episodes, *device, "--output", str(run.evaluation)]
    resume = [] if status.checkpoint is None else ["--resume", str(status.checkpoint)]
    return [*start, "train", "--config", str(run.settings), *resume]


def make_table(spec: TableSpec, jobs: int = 1, commands: Commands = next_command) -> int:
    """Train and evaluate all runs, write `table.json`, `table.md` and curves; return the exit code.

    Runs that are finished are not repeated, stopped ones go on from their newest checkpoint, and
    one with other settings than before starts anew in an empty folder.

    Args:
        spec: of the table.
        jobs: runs at a time; several have one thread each.
        commands: how each step of a run is done.

    Returns:
        0 done, 1 a run diverged or failed, 130 interrupted (runs under way saved themselves).

    Raises:
        ValueError: something in `spec` is not valid; nothing has been written.
        OSError: a file cannot be written.
    """
    runs = plan_runs(spec)
    spec.output.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    scripted: list[Scripted] = []
    with Interrupt() as interrupt:
        try:
            scripted.extend(_play_untrained(spec, runs, interrupt))
            scripted.extend(_play_scripted(spec, runs, interrupt))
            scheduler = _Scheduler(spec, jobs, commands, console)
            failed = scheduler.work(runs, interrupt, lambda: _write(spec, runs, scripted))
        except Interrupted:
            _write(spec, runs, scripted)
            console.print("interrupted; the same command goes on", highlight=False)
            return INTERRUPTED
    table = _write(spec, runs, scripted)
    draw_curves(table, spec.output)
    shown = Console(width=140 if spec.reference is None else 160)
    shown.print(rich_table(table))
    shown.print(f"written to {spec.output}", highlight=False, markup=False, soft_wrap=True)
    return FAILED if failed else DONE


def _seeds(spec: TableSpec) -> list[int]:
    return [int(seed) for seed in episode_seeds(EPISODES_SEED, spec.episodes)]


# Any: the table is a JSON object of numbers, lists and text.
def _write(spec: TableSpec, runs: Sequence[Run], scripted: Sequence[Scripted]) -> dict[str, Any]:
    """Write what is known so far, as JSON and Markdown, and return it."""
    seeds = _seeds(spec)
    outcomes = []
    for run in runs:
        status = status_of(run, seeds).phase
        stats = None if status == "new" else read_json(run.outputs.stats)
        evaluation = read_json(run.evaluation) if status == "finished" else None
        outcomes.append(Outcome(run, status, stats or {}, evaluation))
    table = table_of(spec, outcomes, scripted)
    atomic_write_json(spec.output / "table.json", table)
    atomic_write_text(spec.output / "table.md", markdown_table(table))
    return table


def scripted_cameras(regime: str) -> tuple[str, ...]:
    """Return the names of cameras that do not learn, for the tables of a regime."""
    return (*SCRIPTED, STEREO_PLANNER) if regime == "stereo" else SCRIPTED


def _play_scripted(
    spec: TableSpec, runs: Sequence[Run], interrupt: Interrupt
) -> Iterator[Scripted]:
    """Yield the evaluations of scripted cameras on the table's episodes, kept in files."""
    if not spec.scripted:
        return
    seeds = episode_seeds(EPISODES_SEED, spec.episodes)
    worlds = {(run.scenario, run.regime): run.config.env for run in runs}
    for (scenario, regime), env in worlds.items():
        setting = EvaluationSetting(scenario, env.opponent, REGIMES[regime], env.max_episode_steps)
        for policy in scripted_cameras(regime):
            name = f"{Path(scenario).stem}_{regime}.json"
            file = spec.output / "scripted" / policy / name
            provenance = {
                "scenario": setting.scenario,
                "opponent": setting.opponent,
                "max_episode_steps": setting.max_episode_steps,
            }
            play = partial(evaluate_scripted, policy, setting, seeds, num_envs=EVALUATION_ENVS)
            evaluation = _kept(file, provenance, seeds.tolist(), interrupt, play)
            yield Scripted("scripted", policy, scenario, regime, evaluation)


def _play_untrained(
    spec: TableSpec, runs: Sequence[Run], interrupt: Interrupt
) -> Iterator[Scripted]:
    """Yield what learning adds to, in the worlds of an ablation's whole system; kept in files."""
    seeds = episode_seeds(EPISODES_SEED, spec.episodes)
    for run in runs:
        if run.system != spec.reference or run.seed != 0:
            continue
        for rule in untrained_rules(build_env(run.config, 1)):
            name = f"{Path(run.scenario).stem}_{run.regime}.json"
            file = spec.output / "untrained" / rule / name
            provenance = provenance_of(run.config, rule, load_scenario(run.scenario))
            player = untrained_player(run.config, rule, min(EVALUATION_ENVS, len(seeds)))
            play = partial(evaluate, player, seeds, timestep=None, provenance=provenance)
            evaluation = _kept(file, provenance, seeds.tolist(), interrupt, play)
            yield Scripted("untrained", rule, run.scenario, run.regime, evaluation)


def _kept(
    file: Path,
    provenance: Mapping[str, object],
    seeds: list[int],
    interrupt: Interrupt,
    play: Callable[[], Mapping[str, Any]],
) -> Mapping[str, Any]:
    """Return the evaluation in a file; play and keep it if another one or none is there."""
    evaluation = read_json(file)
    made_in = (evaluation or {}).get("provenance", {})
    same = all(made_in.get(key) == value for key, value in provenance.items())
    if evaluation is None or not same or evaluation.get("seeds") != seeds:
        with interrupt.at_once():
            evaluation = play()
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_json(file, evaluation)
    return evaluation


class _Active(NamedTuple):
    """A step of a run under way."""

    run: Run
    status: RunStatus  # before the step
    process: "subprocess.Popen[bytes]"


class _Scheduler:
    """Runs steps of runs in processes, some at a time."""

    def __init__(self, spec: TableSpec, jobs: int, commands: Commands, console: Console) -> None:
        self._spec = spec
        self._jobs = jobs
        self._commands = commands
        self._console = console
        self._seeds = _seeds(spec)
        self._active: list[_Active] = []
        self._failed: list[str] = []

    def work(
        self, runs: Sequence[Run], interrupt: Interrupt, after_run: Callable[[], object]
    ) -> list[str]:
        """Bring every run to its end; return the names of those that diverged or failed.

        Raises:
            Interrupted: the user wants to stop; what was under way has been saved.
        """
        waiting = deque(runs)
        try:
            while waiting or self._active:
                if interrupt.requested:
                    raise Interrupted
                while waiting and len(self._active) < self._jobs:
                    self._start(waiting.popleft())
                for active in [a for a in self._active if a.process.poll() is not None]:
                    self._active.remove(active)
                    if self._end(active):
                        waiting.appendleft(active.run)  # its next step
                    else:
                        after_run()
                time.sleep(_POLL_SECONDS)
        finally:
            self._stop()
        return self._failed

    def _start(self, run: Run) -> None:
        """Begin the next step of a run, if there is one."""
        status = status_of(run, self._seeds)
        if status.phase in ("finished", "diverged"):
            self._say(run, status.phase)
            if status.phase == "diverged":
                self._failed.append(run.name)
            return
        aside = begin_anew(run, status)
        if aside is not None:
            self._say(run, f"settings have changed: starts anew, earlier outputs are in {aside}")
        command = self._commands(run, status, self._spec)
        if self._jobs > 1 and status.phase != "trained":
            command += ["--set", "training.overlap=false"]  # equal numbers, one thread
        words = {"new": "training", "stopped": f"goes on from {status.checkpoint}"}
        self._say(run, words.get(status.phase, "evaluation"))
        with (run.folder / "table_output.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                start_new_session=True,  # Ctrl-C reaches this process alone, which passes it on
            )
        self._active.append(_Active(run, status, process))

    def _environment(self) -> dict[str, str]:
        """Return the processes' environment: with several at a time, one thread each."""
        threads = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS") if self._jobs > 1 else ()
        return dict(os.environ) | dict.fromkeys(threads, "1")

    def _end(self, active: _Active) -> bool:
        """Take note of a step that has ended; return whether the run has another one."""
        run, code = active.run, active.process.returncode
        after = status_of(run, self._seeds)
        if code == DONE and after.phase == "finished":
            drop_replays(run)
            self._say(run, "done")
        elif code == DONE and after.phase == "trained" and active.status.phase != "trained":
            return True
        else:
            log = run.folder / "table_output.log"
            self._failed.append(run.name)
            self._say(run, f"{_ending(code, after)}: {_last_line(log)} ({log})")
        return False

    def _stop(self) -> None:
        """Ask all processes to save and stop, and wait for them."""
        for active in self._active:
            if active.process.poll() is None:
                active.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        try:
            for active in self._active:
                active.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._console.print("a run did not stop in time and is killed", highlight=False)
        finally:  # also after a second Ctrl-C
            for active in self._active:
                active.process.kill()
                active.process.wait()

    def _say(self, run: Run, what: str) -> None:
        line = f"{run.name}: {what}"
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def _ending(code: int, after: RunStatus) -> str:
    return "diverged" if after.phase == "diverged" else f"failed with exit code {code}"


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "no output"
