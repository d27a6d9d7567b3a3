"""The runs of a table, one training per system, scenario, regime and seed; where each stands."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple

from camsim.files import atomic_write_text
from qplex_hrl.config import (
    ConfigError,
    Override,
    RunConfig,
    config_hash,
    dump_config,
    load_config,
    load_stored_config,
    parse_override,
)
from qplex_hrl.storage.checkpoint import CheckpointError, newest_intact
from qplex_hrl.training.run_folder import RunFolder, replay_beside

REGIMES = {"own": False, "shared": True, "stereo": True}
"""What a camera knows, and `env.shared_field_of_view`; stereo: what two cameras see together."""

STEREO = "stereo"

SCORES = {"own": "coverage_rate", "shared": "coverage_rate", STEREO: "stereo_coverage_rate"}
"""The metric by which a regime's systems are compared."""

EPISODES_SEED = 1_000_003
"""Seed of the table's evaluation episodes; no run may use it for its own evaluations."""

_REFERENCE = "4v4_9"  # team sizes that every system has a file for


class Variant(NamedTuple):
    """A system that is another one's file with some values replaced."""

    name: str
    file: str  # system whose file it is
    settings: tuple[str, ...]  # section.key=value, after those for all systems


class TableSpec(NamedTuple):
    """What is compared, and how."""

    systems: tuple[str, ...]
    scenarios: tuple[str, ...]
    regimes: tuple[str, ...]
    n_seeds: int  # training seeds 0 .. n_seeds - 1
    timesteps: int  # frames of each training
    episodes: int  # that each trained system plays in the end
    settings: tuple[str, ...]  # section.key=value, for all systems
    scripted: bool  # also scripted cameras
    configs: Path  # folder of the systems' files
    output: Path
    milestones: tuple[int, ...] = ()  # frames after which coverage is told, too
    variants: tuple[Variant, ...] = ()  # those of the systems that have no file of their own
    pairs: bool = False  # also the difference of every two systems
    reference: str | None = None  # system that the others are compared with: an ablation

    def variant(self, system: str) -> Variant:
        """Return the file and the replaced values of a system; none are, if it has a file."""
        known = {variant.name: variant for variant in self.variants}
        return known.get(system, Variant(system, system, ()))


class Run(NamedTuple):
    """One training and the evaluation of what it learned."""

    system: str
    scenario: str
    regime: str
    seed: int
    file: Path  # that its settings come from
    config: RunConfig
    folder: Path  # of all its outputs

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"{self.system} {self.scenario} {self.regime} seed {self.seed}"

    @property
    def settings(self) -> Path:
        """The resolved configuration that it was begun with."""
        return self.folder / "table_run.yaml"

    @property
    def evaluation(self) -> Path:
        """The evaluation of its final weights on the table's episodes."""
        return self.folder / "table_evaluation.json"

    @property
    def outputs(self) -> RunFolder:
        """What training writes."""
        return RunFolder(self.folder, self.folder)


class RunStatus(NamedTuple):
    """Where a run stands."""

    phase: Literal["new", "stopped", "trained", "finished", "diverged"]
    checkpoint: Path | None = None  # to go on from, if stopped


def plan_runs(spec: TableSpec) -> list[Run]:
    """Return all runs, seed by seed, so that a table of few seeds is complete early.

    Raises:
        ValueError: a system, regime, scenario or setting is not valid, two systems would play
            against different targets or with other time limits, or a variant changes nothing.
    """
    for regime in spec.regimes:
        if regime not in REGIMES:
            raise ValueError(f"--regimes {regime}: expected {' or '.join(REGIMES)}")
    labels = {Path(scenario).stem for scenario in spec.scenarios}
    if len(labels) < len(spec.scenarios):
        raise ValueError("--scenarios: two have the same name; expected different names")
    settings = [parse_override(text) for text in spec.settings]
    rows = product(range(spec.n_seeds), spec.scenarios, spec.regimes, spec.systems)
    runs = [_plan(spec, settings, *row) for row in rows]
    _check_same_world(runs)
    _check_variants(spec, runs)
    return runs


def _of_seed(override: Override, seed: int) -> Override:
    """Return the setting with the seed in place of `{seed}`: files that earlier runs left."""
    value = override.value
    if isinstance(value, str):
        value = value.replace("{seed}", str(seed))
    return override._replace(value=value)


def _plan(
    spec: TableSpec,
    settings: Sequence[Override],
    seed: int,
    scenario: str,
    regime: str,
    system: str,
) -> Run:
    variant = spec.variant(system)
    file = find_config(spec.configs, variant.file, scenario, regime)
    folder = spec.output / system / f"{Path(scenario).stem}_{regime}" / f"seed{seed}"
    values = {
        "env.scenario": (scenario, "--scenarios"),
        "env.shared_field_of_view": (REGIMES[regime], "--regimes"),
        "training.seed": (seed, "--seeds"),
        "training.total_timesteps": (spec.timesteps, "--timesteps"),
        "evaluation.final_episodes": (1, "table"),  # the table evaluates all runs alike
        "logging.log_dir": (str(folder), "--output"),
        "logging.model_dir": (str(folder), "--output"),
    }
    own = [Override(key, value, f"{flag} {value}") for key, (value, flag) in values.items()]
    settings = [_of_seed(override, seed) for override in settings]
    changes = [parse_override(text) for text in variant.settings]
    config = load_config(file, [*settings, *changes, *own])
    if regime == STEREO and not config.network.hrl.reward_coefficients.stereo_coverage_rate:
        raise ConfigError(
            f"{file}: network.hrl.reward_coefficients.stereo_coverage_rate = 0; expected a reward "
            f"for it in --regimes {STEREO}"
        )
    if config.evaluation.seed == EPISODES_SEED:
        raise ConfigError(
            f"{file}: evaluation.seed = {EPISODES_SEED}; expected another, "
            "for the table's episodes must be new to every run"
        )
    return Run(system, scenario, regime, seed, file, config, folder)


def find_config(configs: Path, system: str, scenario: str, regime: str) -> Path:
    """Return the file of a system for a scenario and a regime.

    `<system>_<size>_<regime>.yaml`, else `<system>_<size>.yaml`, else the file for 4 cameras and 4
    targets; the size of MATE-4v8-9 is `4v8_9`.

    Raises:
        ValueError: the system has no file.
    """
    size = Path(scenario).stem.removeprefix("MATE-").replace("-", "_")
    for name in (f"{system}_{size}_{regime}", f"{system}_{size}", f"{system}_{_REFERENCE}"):
        file = configs / f"{name}.yaml"
        if file.is_file():
            return file
    ending = f"_{_REFERENCE}.yaml"
    known = sorted(path.name.removesuffix(ending) for path in configs.glob(f"*{ending}"))
    close = get_close_matches(system, known, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise ValueError(
        f"--systems {system}: no {configs / (system + ending)}; "
        f"expected one of {', '.join(known) or 'none in this folder'}{hint}"
    )


def _check_same_world(runs: Iterable[Run]) -> None:
    """Check that runs of one scenario differ in the regime alone."""
    first: dict[str, Run] = {}
    for run in runs:
        other = first.setdefault(run.scenario, run)
        for key in ("opponent", "max_episode_steps", "enhanced_observation"):
            ours, theirs = getattr(run.config.env, key), getattr(other.config.env, key)
            if ours != theirs:
                raise ConfigError(
                    f"{run.file}: env.{key} = {ours!r}; expected {theirs!r} as in {other.file}, "
                    "for a table compares systems in one world"
                )


def _check_variants(spec: TableSpec, runs: Iterable[Run]) -> None:
    """Check that every variant differs from the system that it is a variant of."""
    runs = list(runs)
    whole = {(r.system, r.scenario, r.regime, r.seed): config_hash(r.config) for r in runs}
    for run in runs:
        variant = spec.variant(run.system)
        base = whole.get((variant.file, run.scenario, run.regime, run.seed))
        if variant.settings and base == config_hash(run.config):
            raise ConfigError(
                f"{run.system}: {' '.join(variant.settings)} changes nothing in {run.file}; "
                "expected other values there"
            )


def status_of(run: Run, seeds: Sequence[int]) -> RunStatus:
    """Return where a run stands; one begun with other settings, or damaged, counts as new.

    Args:
        run: of the table.
        seeds: of the table's evaluation episodes.
    """
    if not _same_settings(run):
        return RunStatus("new")
    outputs = run.outputs
    status = (read_json(outputs.stats) or {}).get("status")
    if status == "diverged":
        return RunStatus("diverged")
    if status == "done":
        if (read_json(run.evaluation) or {}).get("seeds") == list(seeds):
            return RunStatus("finished")
        if outputs.final.exists():
            return RunStatus("trained")
    try:
        return RunStatus("stopped", newest_intact(run.folder))
    except CheckpointError:
        return RunStatus("new")


def begin_anew(run: Run, status: RunStatus) -> Path | None:
    """Make the folder of a new run; return where what stood there with other settings went.

    Outputs of the same settings without a checkpoint stay: training moves them aside by itself.
    """
    aside = None
    if run.folder.exists() and any(run.folder.iterdir()) and not _same_settings(run):
        name = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S-%f")
        aside = run.folder.with_name(f"{run.folder.name}.previous-{name}")
        run.folder.rename(aside)
    if status.phase == "new":
        run.folder.mkdir(parents=True, exist_ok=True)
        atomic_write_text(run.settings, dump_config(run.config))
    return aside


def drop_replays(run: Run) -> None:
    """Delete the replays beside a finished run's checkpoints: nothing goes on from them."""
    for checkpoint in run.outputs.checkpoints():
        replay_beside(checkpoint).unlink(missing_ok=True)


def _same_settings(run: Run) -> bool:
    """Return whether what stands in the run's folder was begun with its settings."""
    try:
        begun = load_stored_config(run.settings)
    except ConfigError:
        return False
    return config_hash(begun) == config_hash(run.config)


# Any: a JSON object of numbers, lists and text.
def read_json(path: Path) -> Mapping[str, Any] | None:
    """Return the object in a file; None if there is none, or it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
