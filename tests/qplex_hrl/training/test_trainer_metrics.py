"""What a run tells of itself: metrics, trackers, videos."""

from pathlib import Path

import numpy as np
import pytest
from tiny import make_fake_env, tiny_config
from tiny_runs import read, rows, run

from qplex_hrl.config import RunConfig
from qplex_hrl.data.make_env import build_env
from qplex_hrl.runtime.exit_codes import DONE
from qplex_hrl.runtime.trackers import tag_of
from qplex_hrl.training import trainer as trainer_module

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
