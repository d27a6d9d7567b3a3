"""The benchmark of training decides by its floors; what it measures is replaced by figures."""

from pathlib import Path

import pytest
from tiny import make_fake_env, tiny_config

from qplex_bench.speed import training as bench
from qplex_hrl.config import RunConfig, dump_config
from qplex_hrl.training.trainer import train


@pytest.mark.parametrize(("share", "code"), [(1.01, 0), (0.99, 1)])
def test_the_floors_decide(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], share: float, code: int
) -> None:
    """The configuration as it is has no floor; of the light ones the second is just beside it."""

    def rate(path: Path, settings: tuple[str, ...], timesteps: int) -> float:
        if not settings:
            return 1.0
        interval = int(settings[-1].rpartition("=")[2])
        return bench.TRAINING_FLOORS[interval] * (share if interval == 5 else 1.01)

    monkeypatch.setattr(bench, "_training_rate", rate)
    assert bench.benchmark_training() == code
    printed = capsys.readouterr().out
    assert "4,040" in printed
    assert f"{8000 * share:,.0f}" in printed


def test_the_rate_is_the_median_of_rows_after_the_first_update(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run in the fake world by a clock of 10 frames per second at first, then 30, 20 and 40."""
    path = tmp_path / "tiny.yaml"
    path.write_text(dump_config(tiny_config(tmp_path)), encoding="utf-8")
    rows = [(10, 0), (30, 1), (20, 5), (40, 9)]

    def run(config: RunConfig, *_: object) -> int:
        assert config.training.total_timesteps == 500
        code = train(config, make_env=make_fake_env)  # type: ignore[arg-type]
        text = "".join(f'{{"frames_per_second": {rate}, "n_updates": {n}}}\n' for rate, n in rows)
        (Path(config.logging.log_dir) / "metrics.jsonl").write_text(text)
        return code

    monkeypatch.setattr(bench, "train", run)
    assert bench._training_rate(path, (), 500) == 30.0


def test_a_training_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(dump_config(tiny_config(tmp_path)), encoding="utf-8")
    monkeypatch.setattr(bench, "train", lambda *_: 1)
    with pytest.raises(RuntimeError, match="did not finish"):
        bench._training_rate(path, (), 500)
