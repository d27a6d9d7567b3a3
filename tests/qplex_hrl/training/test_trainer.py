"""Whole runs in the fake world: files, first weights, divergence, bad input."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_env import FakeEnv, FakeOutput
from numpy.typing import NDArray
from tiny import NETWORK, tiny_config
from tiny_runs import equal, read, rows, run, weights

from qplex_hrl.config import NetworkConfig, RunConfig, load_config
from qplex_hrl.evaluation.policy_file import load_policy
from qplex_hrl.learner import Learner
from qplex_hrl.runtime.exit_codes import DONE, FAILED
from qplex_hrl.runtime.seeding import episode_seeds
from qplex_hrl.runtime.trackers import TrackerError
from qplex_hrl.storage.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from qplex_hrl.training import trainer as trainer_module


def test_a_run_leaves_all_its_files(whole: RunConfig) -> None:
    logs, models = Path(whole.logging.log_dir), Path(whole.logging.model_dir)
    timesteps = sorted(int(p.stem.rsplit("_", 1)[1]) for p in models.glob("*[0-9].pth"))
    assert len(timesteps) == 3
    assert [t // 1000 for t in timesteps] == [1, 2, 3]
    for t in timesteps:
        assert (logs / f"eval_results_{t}.json").exists()
    for name in ("training.log", "metrics.jsonl", "training_stats.json"):
        assert (logs / name).stat().st_size > 0
    assert list(logs.glob("events.out.tfevents.*"))
    assert (models / "qplex_hrl_best.pth").exists()
    assert (models / "qplex_hrl_final.pth").exists()
    assert (models / f"qplex_hrl_{timesteps[-1]}.replay.npz").exists()
    assert load_config(logs / "config.yaml") == whole
    assert not list(logs.glob("*.tmp"))
    assert not list(models.glob(".*.tmp"))


def beginning_with(folder: Path, path: Path, **training: object) -> RunConfig:
    """Return a run that does not learn, for it is over before its first update."""
    settings = {"total_timesteps": 300, "learning_starts": 2000, "initial_weights": str(path)}
    return tiny_config(folder, training=settings | training)


@pytest.fixture
def _may_learn_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module, "check_learns", lambda config: None)


@pytest.mark.usefixtures("_may_learn_nothing")
def test_a_run_begins_with_the_cameras_of_another_team(whole: RunConfig, tmp_path: Path) -> None:
    def more_targets(config: RunConfig, num_envs: int) -> FakeEnv:
        return FakeEnv(num_envs, n_targets=3, n_agents=4, n_actions=5)

    given = tmp_path / "given.pth"
    given.write_bytes((Path(whole.logging.model_dir) / "qplex_hrl_final.pth").read_bytes())
    config = beginning_with(tmp_path, given)
    assert run(config, make_env=more_targets) == DONE
    final = Path(config.logging.model_dir) / "qplex_hrl_final.pth"
    assert equal(load_policy(final).weights, load_policy(given).weights)
    learner = load_checkpoint(final)["training"]["learner"]
    for name in ("model", "target_model"):
        agent = {k: v for k, v in learner[name].items() if k.startswith("agent.")}
        assert equal(agent, {f"agent.{k}": v for k, v in load_policy(given).weights.items()}), name
    given.unlink()  # a run that goes on has weights of its own
    longer = beginning_with(tmp_path, given, total_timesteps=600)
    assert run(longer, resume=final, make_env=more_targets) == DONE


@pytest.mark.usefixtures("_may_learn_nothing")
def test_weights_that_cannot_begin_a_run_are_refused(whole: RunConfig, tmp_path: Path) -> None:
    given = Path(whole.logging.model_dir) / "qplex_hrl_final.pth"
    network = NETWORK.model_dump()
    network["q_network"]["hidden_size"] = 16
    config = beginning_with(tmp_path, given)
    wider = config.model_copy(update={"network": NetworkConfig.model_validate(network)})
    with pytest.raises(ValueError, match=r"initial_weights = .*another network"):
        run(wider)
    with pytest.raises(CheckpointError, match=r"nothing\.pth"):
        run(beginning_with(tmp_path, tmp_path / "nothing.pth"))
    assert list(tmp_path.iterdir()) == []


def test_the_summary_agrees_with_the_rows(whole: RunConfig) -> None:
    training = [row for row in rows(whole) if "epsilon" in row]
    evaluations = [row for row in rows(whole) if "mean_coverage_rate" in row]
    best = max(row["mean_coverage_rate"] for row in evaluations)
    assert evaluations[-1]["best_coverage"] == best
    stats = read(Path(whole.logging.log_dir) / "training_stats.json")
    assert stats["status"] == "done"
    assert stats["best_coverage"] == best
    for name in ("timestep", "n_episodes"):
        assert stats[name] == training[-1][name]
    assert isinstance(stats["frames_per_second"], float)
    in_stats = stats["evaluations"]
    assert isinstance(in_stats, list)
    assert [e["mean_coverage_rate"] for e in in_stats] == [
        row["mean_coverage_rate"] for row in evaluations
    ]


def test_the_best_checkpoint_is_that_of_the_best_evaluation(whole: RunConfig) -> None:
    evaluations = [row for row in rows(whole) if "mean_coverage_rate" in row]
    best = max(evaluations, key=lambda row: row["mean_coverage_rate"])  # the first of equals
    content = load_checkpoint(Path(whole.logging.model_dir) / "qplex_hrl_best.pth")
    assert content["timestep"] == best["timestep"]


def test_the_final_evaluation_plays_seeds_that_nothing_else_played(whole: RunConfig) -> None:
    logs, evaluation = Path(whole.logging.log_dir), whole.evaluation
    final = read(logs / "final_eval_results.json")
    assert final["n_episodes"] == evaluation.final_episodes
    assert isinstance(final["seeds"], list)
    during = {
        tuple(read(path)["seeds"])  # type: ignore[arg-type]
        for path in logs.glob("eval_results_*.json")
    }
    assert during == {tuple(episode_seeds(evaluation.seed, evaluation.episodes).tolist())}
    assert not set(final["seeds"]) & set(*during)
    assert len(set(final["seeds"])) == evaluation.final_episodes


def test_evaluating_and_saving_more_often_changes_no_weight(
    whole: RunConfig, tmp_path: Path
) -> None:
    other = tiny_config(
        tmp_path,
        logging={"checkpoint_interval": 400, "log_interval": 200},
        evaluation={"eval_interval": 700, "episodes": 2, "seed": 5},
        training={"overlap": False},
    )
    assert run(other) == DONE
    finals = [Path(c.logging.model_dir) / "qplex_hrl_final.pth" for c in (whole, other)]
    assert equal(*map(weights, finals))


def test_a_second_run_keeps_the_first(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, training={"total_timesteps": 500})
    assert run(config) == DONE
    first = (tmp_path / "logs" / "final_eval_results.json").read_bytes()
    assert run(config) == DONE
    (aside,) = (tmp_path / "logs").glob("previous-*")
    assert (aside / "final_eval_results.json").read_bytes() == first
    assert (tmp_path / "models" / aside.name / "qplex_hrl_final.pth").exists()
    assert (tmp_path / "logs" / "final_eval_results.json").exists()


@pytest.mark.parametrize(
    ("part", "bad", "message"),
    [
        ("reward", np.nan, "the environments give reward that is not finite"),
        ("state", np.inf, "the environments give state that is not finite"),
        ("obs", np.nan, "the cameras' values of their actions are not finite"),
    ],
)
def test_divergence_stops_with_the_last_good_checkpoint(
    tmp_path: Path, part: str, bad: float, message: str
) -> None:
    class Poisoned(FakeEnv):
        n_steps = 0

        def step(self, actions: NDArray[np.int64], react: object = None) -> FakeOutput:
            self.n_steps += 1
            output = super().step(actions)
            values = getattr(output, part)
            return (
                output._replace(**{part: values + values.dtype.type(bad)})
                if (self.n_steps > 70)
                else output
            )

    config = tiny_config(tmp_path)
    assert run(config, make_env=lambda c, n: Poisoned(n)) == FAILED
    (checkpoint,) = (tmp_path / "models").glob("*[0-9].pth")
    assert all(w.isfinite().all() for w in weights(checkpoint).values())
    assert read(tmp_path / "logs" / "training_stats.json")["status"] == "diverged"
    assert message in (tmp_path / "logs" / "training.log").read_text()
    assert run(tiny_config(tmp_path), resume=tmp_path / "models") == DONE


@pytest.mark.parametrize("overlap", [False, True])
def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path, overlap: bool) -> None:
    config = tiny_config(tmp_path, training={"overlap": overlap})

    def poison(update: Callable[..., object]) -> Callable[..., object]:
        def updating(self: Learner, *args: object) -> object:
            metrics = update(self, *args)
            if self.n_updates == 30:
                next(self.target_model.parameters()).data.view(-1)[0] = torch.nan
                next(self.model.agent.parameters()).data.view(-1)[0] = torch.nan
            return metrics

        return updating

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Learner, "update", poison(Learner.update))
        assert run(config) == FAILED
    for path in (tmp_path / "models").glob("*.pth"):
        load_checkpoint(path)
    assert run(config, resume=tmp_path / "models") == DONE


def test_bad_input_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    config = tiny_config(tmp_path / "new")
    foreign, truncated = tmp_path / "foreign.pth", tmp_path / "truncated.pth"
    save_checkpoint(foreign, {"weights": [1.0]})
    truncated.write_bytes(foreign.read_bytes()[:100])
    for path in (foreign, truncated, tmp_path / "missing.pth", tmp_path / "missing"):
        with pytest.raises(CheckpointError) as caught:
            run(config, resume=path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
    no_gpu = tiny_config(tmp_path / "new", training={"device": "cuda:99"})
    with pytest.raises(ValueError, match="cuda:99"):
        run(no_gpu)
    if find_spec("wandb") is None:
        tracked = tiny_config(tmp_path / "new", logging={"wandb": {"enabled": True}})
        with pytest.raises(TrackerError, match="wandb is not installed"):
            run(tracked)
    assert not (tmp_path / "new").exists()


def test_folders_that_cannot_be_written_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file, not a folder")
    with pytest.raises(OSError, match="logs"):
        run(tiny_config(tmp_path))
    (tmp_path / "logs").unlink()
    (tmp_path / "models").write_text("a file, not a folder")
    with pytest.raises(OSError, match="models"):
        run(tiny_config(tmp_path))
    assert (tmp_path / "models").read_text() == "a file, not a folder"
    assert list((tmp_path / "logs").iterdir()) == []
