"""Tables whose trainings and evaluations take no time, for tests of what is around them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from paths import CONFIGS

from qplex_bench.tables.plan import EPISODES_SEED, Run, RunStatus, TableSpec
from qplex_hrl.runtime.seeding import episode_seeds

TINY = {
    "env.num_envs": 4,
    "env.max_episode_steps": 40,
    "network.q_network.hidden_size": 8,
    "training.learning_starts": 100,
    "training.batch_size": 4,
    "training.buffer_size": 1000,
    "training.train_freq": 10,
    "training.device": "cpu",
    "logging.tensorboard": "false",
    "evaluation.eval_interval": 400,
    "evaluation.episodes": 2,
    "evaluation.num_envs": 4,
}
N_EPISODES = 3

FAKE_TRAINING = """
import json, sys
folder = sys.argv[1] + "/"
open(folder + "qplex_hrl_final.pth", "w").close()
curve = [{"timestep": 100, "mean_coverage_rate": 0.1}, {"timestep": 200, "mean_coverage_rate": 0.3}]
stats = {"status": sys.argv[2], "timestep": 200, "n_updates": 7, "wall_time_seconds": 90.0,
         "best_coverage": 0.3, "evaluations": curve}
json.dump(stats, open(folder + "training_stats.json", "w"))
print("trained or not")
sys.exit(int(sys.argv[2] == "diverged"))
"""

FAKE_EVALUATION = """
import json, sys
names = ("coverage_rate", "real_coverage_rate", "transport_rate", "selection_efficiency")
result = {"seeds": json.loads(sys.argv[2])} | {f"mean_{n}": float(sys.argv[3]) for n in names}
result["provenance"] = {"commit": "abc", "versions": {"python": "3"}}
json.dump(result, open(sys.argv[1], "w"))
"""


def spec(folder: Path, *systems: str, **changes: object) -> TableSpec:
    whole = TableSpec(
        systems=systems or ("qplex", "qplex_hrl"),
        scenarios=("MATE-4v2-9",),
        regimes=("own",),
        n_seeds=2,
        timesteps=800,
        episodes=N_EPISODES,
        settings=tuple(f"{key}={value}" for key, value in TINY.items()),
        scripted=False,
        configs=CONFIGS,
        output=folder / "table",
    )
    return whole._replace(**changes)


class Fakes:
    """Steps that take no time; the coverage of a run is its seed / 10 + 0.2."""

    def __init__(self, ends: str = "done") -> None:
        self.steps: list[tuple[str, int, str]] = []
        self.ends = ends

    def __call__(self, run: Run, status: RunStatus, table: TableSpec) -> list[str]:
        self.steps.append((run.system, run.seed, status.phase))
        python = [sys.executable, "-S", "-c"]
        if status.phase == "trained":
            seeds = episode_seeds(EPISODES_SEED, table.episodes).tolist()
            numbers = [json.dumps(seeds), str(0.2 + run.seed / 10)]
            return [*python, FAKE_EVALUATION, str(run.evaluation), *numbers]
        return [*python, FAKE_TRAINING, str(run.folder), self.ends]


def table_in(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / "table" / "table.json").read_text())
    return content
