"""Measures what cameras without learning reach in the shipped scenarios, and writes it down.

`python docs/baselines.py` makes src/qplex_hrl/evaluation/baselines.json. The end of a training
shows it beside the trained cameras.
"""

from pathlib import Path

from camsim.files import atomic_write_json
from qplex_bench.tables.untrained import BEST_PLAN, untrained_player
from qplex_hrl.config import load_config
from qplex_hrl.evaluation.baselines import decision_of
from qplex_hrl.evaluation.evaluate import evaluate, evaluate_scripted
from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.runtime.provenance import code_commit, package_versions
from qplex_hrl.runtime.seeding import episode_seeds

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "src" / "qplex_hrl" / "evaluation" / "baselines.json"
SIZES, SCRIPTED = ("4v2_9", "4v4_9", "4v8_9", "8v8_9"), ("random", "greedy", "planner")
EPISODES, SEED, ENVS = 64, 0, 64
SHOWN = ("mean_coverage_rate", "ci95_coverage_rate", "mean_stereo_coverage_rate")


def measured(size: str, cameras: str, *, shared: bool) -> dict[str, object]:
    """Return the row of one kind of cameras in one scenario."""
    config = load_config(ROOT / "configs" / f"qplex_hrl_{size}{'_shared' * shared}.yaml")
    scenario, seeds = config.env.scenario, episode_seeds(SEED, EPISODES)
    depends_on = {}
    if cameras == BEST_PLAN:
        depends_on = {"decision": decision_of(config)}
        player = untrained_player(config, BEST_PLAN, ENVS)
        result = evaluate(player, seeds, timestep=None, provenance={})
    else:
        setting = EvaluationSetting(scenario, shared_field_of_view=shared)
        result = evaluate_scripted(cameras, setting, seeds, num_envs=ENVS)
    return {
        "scenario": scenario,
        "opponent": config.env.opponent,
        "regime": "shared" if shared else "own",
        "cameras": cameras,
        **{name: result[name] for name in SHOWN},
        **depends_on,
    }


def main() -> None:
    """Measure everything and replace the file."""
    about = {
        "made_by": "python docs/baselines.py",
        "commit": code_commit(),
        "versions": package_versions(),
        "n_episodes": EPISODES,
        "seed": SEED,
    }
    rows = [
        measured(size, cameras, shared=shared)
        for size in SIZES
        for shared in (False, True)
        for cameras in (*SCRIPTED, BEST_PLAN)
    ]
    atomic_write_json(OUTPUT, about | {"rows": rows})


if __name__ == "__main__":
    main()
