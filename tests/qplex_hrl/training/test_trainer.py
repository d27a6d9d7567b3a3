"""Whole runs in the fake world: files, interruption, kill and resume, divergence, bad input."""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_env import FakeEnv, FakeOutput
from numpy.typing import NDArray
from paths import CONFIGS
from tiny import NETWORK, make_fake_env, tiny_config

from camcontrol.selection_env import EnvOutput, React, SelectionEnv
from qplex_hrl.config import NetworkConfig, Override, RunConfig, load_config
from qplex_hrl.data.make_env import build_env
from qplex_hrl.evaluation.evaluate import evaluate
from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.evaluation.policy_file import load_policy
from qplex_hrl.evaluation.trained import evaluate_checkpoint
from qplex_hrl.learner import Learner
from qplex_hrl.runtime.exit_codes import DONE, FAILED, INTERRUPTED
from qplex_hrl.runtime.seeding import episode_seeds
from qplex_hrl.runtime.trackers import TrackerError, tag_of
from qplex_hrl.storage.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from qplex_hrl.training import trainer as trainer_module
from qplex_hrl.training.trainer import train


def run(config: RunConfig, resume: Path | None = None, make_env: object = make_fake_env) -> int:
    return train(config, resume, "INFO", make_env)  # type: ignore[arg-type]


def weights(path: Path) -> dict[str, torch.Tensor]:
    model: dict[str, torch.Tensor] = load_checkpoint(path)["training"]["learner"]["model"]
    return model


def equal(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def rows(config: RunConfig) -> list[dict[str, float]]:
    text = (Path(config.logging.log_dir) / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def read(path: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads(path.read_text())
    return content


def acting_at(
    decision: int, action: Callable[[], object], *, in_training: bool = True
) -> Callable[[RunConfig, int], FakeEnv]:
    """Return a factory of environments; those of training do something at a decision."""

    class Acting(FakeEnv):
        n_steps = 0
        trains = False

        def step(self, actions: NDArray[np.int64], react: object = None) -> FakeOutput:
            self.n_steps += 1
            if self.n_steps == decision and self.trains == in_training:
                action()
            return super().step(actions)

    def make(config: RunConfig, num_envs: int) -> FakeEnv:
        env = Acting(num_envs, decision_frames=config.network.hrl.frame_skip)
        env.trains = num_envs == config.env.num_envs
        return env

    return make


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """An uninterrupted run that others are compared with."""
    config = tiny_config(tmp_path_factory.mktemp("whole"), logging={"tensorboard": True})
    assert run(config) == DONE
    return config


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


TRAINING_METRICS = (
    *("mean_loss", "td_error", "q_tot", "grad_norm", "epsilon", "frames_per_second"),
    *("selection_entropy", "fast_entropy", "slow_entropy", "learning_rate"),
)
EVALUATION_METRICS = (
    *("mean_coverage_rate", "mean_real_coverage_rate", "mean_transport_rate"),
    *("mean_stereo_coverage_rate", "mean_selection_efficiency"),
    *("mean_episode_reward", "mean_episode_length"),
)


@pytest.mark.parametrize("name", [*TRAINING_METRICS, *EVALUATION_METRICS, "best_coverage"])
def test_a_run_logs_every_metric_of_the_contract_under_its_name(
    whole: RunConfig, tags: set[str], name: str
) -> None:
    logged = [row for row in rows(whole) if name in row]
    assert logged, "metrics.jsonl"
    assert all(np.isfinite(row[name]) for row in logged)
    assert tag_of(name) in tags, "TensorBoard"
    if name in EVALUATION_METRICS:
        assert len(logged) == 3
        logs = Path(whole.logging.log_dir)
        for path in (*logs.glob("eval_results_*.json"), logs / "final_eval_results.json"):
            content = read(path)
            assert isinstance(content[name], float), path.name
            assert f"std_{name[5:]}" in content
            assert f"ci95_{name[5:]}" in content


def test_trackers_get_histograms_configuration_and_videos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    class Film:
        def record(self, weights: object, timestep: int, path: Path) -> None:
            path.write_bytes(b"GIF89a" + bytes([6, 0, 4, 0]))

    monkeypatch.setattr(trainer_module, "film_of", lambda *_: Film())
    config = tiny_config(tmp_path, logging={"tensorboard": True, "video_every": 2})
    assert run(config) == DONE
    logs = tmp_path / "logs"
    second = sorted(int(p.stem.rsplit("_", 1)[1]) for p in logs.glob("eval_results_*.json"))[1]
    assert [path.name for path in logs.glob("*.gif")] == [f"video_{second}.gif"]
    events = EventAccumulator(str(logs)).Reload()
    assert [image.step for image in events.Images("eval/video")] == [second]
    assert {"configuration/text_summary"} <= set(events.Tags()["tensors"])
    expected = {"train/actions", "train/targets_per_action", "mixer/gates", "mixer/complexities"}
    assert set(events.Tags()["histograms"]) >= expected | {"eval/slow_actions"}
    n_actions = make_fake_env(config, 1).n_actions
    selections = read(logs / f"eval_results_{second}.json")["selections"]
    assert isinstance(selections, dict)
    assert [len(selections[level]) for level in ("slow", "fast")] == [n_actions] * 2
    assert sum(selections["slow"]) > 0
    assert sum(selections["fast"]) == 0, "the fake world has no fast level"


@pytest.mark.parametrize(
    ("settings", "pillow", "made"),
    [
        ({"tensorboard": True}, True, True),
        ({"tensorboard": True, "video_every": 0}, True, False),
        ({"tensorboard": False}, True, False),
        ({"tensorboard": True}, False, False),
    ],
)
def test_a_film_is_made_where_somebody_sees_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, object],
    pillow: bool,
    made: bool,
) -> None:
    monkeypatch.setattr(trainer_module, "can_film", lambda: pillow)
    config = tiny_config(tmp_path, logging=settings)
    film = trainer_module.film_of(config, None, build_env)  # type: ignore[arg-type]
    assert (film is not None) == made


@pytest.fixture(scope="module")
def tags(whole: RunConfig) -> set[str]:
    """The curves that TensorBoard has of the run."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(whole.logging.log_dir)
    events.Reload()
    return set(events.Tags()["scalars"])


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_the_resumed_run_ends_as_the_whole_one(
    whole: RunConfig, tmp_path: Path, number: signal.Signals
) -> None:
    config = tiny_config(tmp_path)
    stopping = acting_at(85, lambda: signal.raise_signal(number))
    assert run(config, make_env=stopping) == INTERRUPTED
    models = tmp_path / "models"
    assert not (models / "qplex_hrl_final.pth").exists()
    assert read(tmp_path / "logs" / "training_stats.json")["status"] == "interrupted"
    saved = max(int(p.stem.rsplit("_", 1)[1]) for p in models.glob("*[0-9].pth"))
    assert 84 * 4 * 4 < saved < 3000
    assert run(config, resume=models) == DONE
    assert not list(tmp_path.glob("*/rewound-*")), "nothing was later than the checkpoint"
    finals = [Path(c.logging.model_dir) / "qplex_hrl_final.pth" for c in (whole, config)]
    assert equal(*map(weights, finals))
    names = ("timestep", "n_updates", "mean_coverage_rate", "best_coverage", "epsilon")
    kept, expected = (
        # Rows of evaluations come when these are done.
        sorted(
            ({n: row[n] for n in names if n in row} for row in rows(each)),
            key=lambda row: (row["timestep"], "best_coverage" in row),
        )
        for each in (config, whole)
    )
    assert kept == expected


def test_ctrl_c_stops_an_evaluation_at_once_and_resume_repeats_it(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, training={"overlap": False})
    stopping = acting_at(3, lambda: signal.raise_signal(signal.SIGINT), in_training=False)
    assert run(config, make_env=stopping) == INTERRUPTED
    assert not list((tmp_path / "logs").glob("eval_results_*.json"))
    assert run(config, resume=tmp_path / "models") == DONE
    assert len(list((tmp_path / "logs").glob("eval_results_*.json"))) == 3


KILLED = """
import os, signal, sys
from pathlib import Path
from test_trainer import acting_at, run
from tiny import tiny_config
run(tiny_config(Path(sys.argv[1]), logging={"keep_replays": 2}),
    make_env=acting_at(120, lambda: os.kill(os.getpid(), signal.SIGKILL)))
"""


@pytest.mark.slow
def test_kill_then_resume_from_the_newest_intact_checkpoint(
    whole: RunConfig, tmp_path: Path
) -> None:
    here = Path(__file__).parent
    path = [str(here), *sys.path]
    code = f"import sys; sys.path[:0] = {path!r}\n" + KILLED
    process = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=False
    )
    assert process.returncode == -signal.SIGKILL
    models = tmp_path / "models"
    newest = max(models.glob("*[0-9].pth"), key=lambda p: int(p.stem.rsplit("_", 1)[1]))
    data = newest.read_bytes()
    newest.write_bytes(data[: len(data) // 2])
    assert len(list(models.glob("*[0-9].pth"))) == 2
    config = tiny_config(tmp_path)
    assert run(config, resume=models) == DONE
    finals = [Path(c.logging.model_dir) / "qplex_hrl_final.pth" for c in (whole, config)]
    assert equal(*map(weights, finals))


def test_a_finished_run_can_go_on_longer(tmp_path: Path) -> None:
    short = tiny_config(tmp_path, training={"total_timesteps": 600})
    assert run(short) == DONE
    longer = tiny_config(tmp_path, training={"total_timesteps": 1100})
    assert run(longer, resume=tmp_path / "logs") == DONE
    final = load_checkpoint(tmp_path / "models" / "qplex_hrl_final.pth")
    assert final["timestep"] >= 1100
    assert list((tmp_path / "models").glob("rewound-*/qplex_hrl_final.pth"))
    longest = tiny_config(tmp_path, training={"total_timesteps": 1400})
    for _ in range(3):
        assert run(longest, resume=tmp_path / "logs") == DONE
    assert len(list((tmp_path / "models").glob("rewound-*/qplex_hrl_final.pth"))) == 4
    assert not list((tmp_path / "models").glob("previous-*"))


def test_a_run_whose_best_cameras_are_gone_keeps_the_best_from_there_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coverages = iter([0.9, 0.5, 0.7, 0.1, 0.5, 0.6, 0.1])  # of two runs, the last ones at their end

    def rated(*args: object, **options: object) -> dict[str, object]:
        result = evaluate(*args, **options)  # type: ignore[arg-type]
        return result | {"mean_coverage_rate": next(coverages)}

    monkeypatch.setattr("qplex_hrl.evaluation.evaluator.evaluate", rated)
    config = tiny_config(tmp_path)
    assert run(config) == DONE
    models = tmp_path / "models"
    timesteps = sorted(int(p.stem.rsplit("_", 1)[1]) for p in models.glob("*[0-9].pth"))
    best = models / "qplex_hrl_best.pth"
    assert load_checkpoint(best)["timestep"] == timesteps[0]
    best.unlink()
    assert run(config, resume=models / f"qplex_hrl_{timesteps[1]}.pth") == DONE
    assert next(coverages, None) is None
    assert load_checkpoint(best)["timestep"] == timesteps[2]
    assert read(tmp_path / "logs" / "training_stats.json")["best_coverage"] == 0.9


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


def test_a_checkpoint_of_another_network_is_refused_and_nothing_is_touched(
    whole: RunConfig, tmp_path: Path
) -> None:
    network = whole.network.model_dump()
    network["q_network"]["hidden_size"] = 16
    other = tiny_config(tmp_path / "new", network=network)
    final = Path(whole.logging.model_dir) / "qplex_hrl_final.pth"
    with pytest.raises(ValueError, match=r"qplex_hrl_final\.pth: .*another network"):
        run(other, resume=final)
    assert not (tmp_path / "new").exists()


def test_a_run_can_fork_from_a_checkpoint_into_new_folders(
    whole: RunConfig, tmp_path: Path
) -> None:
    before = sorted(Path(whole.logging.model_dir).iterdir())
    forked = tiny_config(tmp_path, training={"total_timesteps": 3600})
    final = Path(whole.logging.model_dir) / "qplex_hrl_final.pth"
    assert run(forked, resume=final) == DONE
    assert sorted(Path(whole.logging.model_dir).iterdir()) == before
    assert load_checkpoint(tmp_path / "models" / "qplex_hrl_final.pth")["timestep"] >= 3600


@pytest.mark.slow
def test_in_the_real_world_a_checkpoint_goes_on_and_is_evaluated_exactly(tmp_path: Path) -> None:
    """Everything above with the compiled simulator: resume, and evaluation from the file."""
    smoke = CONFIGS / "smoke.yaml"

    def config(name: str) -> RunConfig:
        folders = {"log_dir": str(tmp_path / name), "model_dir": str(tmp_path / name)}
        return load_config(smoke, [Override(f"logging.{k}", v, "") for k, v in folders.items()])

    def stopping(config: RunConfig, num_envs: int) -> SelectionEnv:
        env = build_env(config, num_envs)
        step, n_steps = env.step, itertools.count()

        def counted(actions: NDArray[np.int64], react: React | None = None) -> EnvOutput:
            if next(n_steps) == 60:
                signal.raise_signal(signal.SIGINT)
            return step(actions, react)

        env.step = counted  # type: ignore[method-assign]
        return env

    assert train(config("whole")) == DONE
    assert train(config("resumed"), make_env=stopping) == INTERRUPTED
    assert train(config("resumed"), tmp_path / "resumed") == DONE
    finals = [tmp_path / name / "qplex_hrl_final.pth" for name in ("whole", "resumed")]
    assert equal(*map(weights, finals))

    result = read(tmp_path / "whole" / "final_eval_results.json")
    seeds = np.array(result["seeds"], np.uint64)
    device = torch.device("cpu")
    again = evaluate_checkpoint(finals[0], EvaluationSetting(), seeds, num_envs=3, device=device)
    for name in ("episodes", "mean_coverage_rate", "ci95_coverage_rate", "timestep"):
        assert again[name] == result[name]


HUNG_UP = """
import os, signal, sys
from pathlib import Path
from test_trainer import acting_at, run
from tiny import tiny_config
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which may have been ignored by who runs the tests
master, terminal = os.openpty()
os.dup2(terminal, 2)
sys.stderr = os.fdopen(2, "w", 1, closefd=False)
def hang_up():
    os.close(master)
    signal.raise_signal(signal.SIGHUP)
print(run(tiny_config(Path(sys.argv[1])), make_env=acting_at(70, hang_up)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_terminal_that_is_gone_does_not_prevent_saving(
    whole: RunConfig, tmp_path: Path, term: str
) -> None:
    path = [str(Path(__file__).parent), *sys.path]
    code = f"import sys; sys.path[:0] = {path!r}\n" + HUNG_UP
    command = [sys.executable, "-c", code, str(tmp_path)]
    process = subprocess.run(
        command, capture_output=True, check=False, timeout=100, env=os.environ | {"TERM": term}
    )
    assert process.stdout == b"%d\n" % INTERRUPTED
    config = tiny_config(tmp_path)
    assert read(tmp_path / "logs" / "training_stats.json")["status"] == "interrupted"
    assert run(config, resume=tmp_path / "models") == DONE
    finals = [Path(c.logging.model_dir) / "qplex_hrl_final.pth" for c in (whole, config)]
    assert equal(*map(weights, finals))
