"""What the hour of training is judged by."""

import mmap
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from faults.soak import WARM_UP, Sample, judge, segments

FLAT = [Sample(10.0 * i, WARM_UP - 10_000 + 40_000 * i, 600.0, 500.0, 8, 5, 0) for i in range(30)]


def bad(samples: list[Sample]) -> list[str]:
    return [name for name, _, good in judge(samples) if not good]


def test_nothing_grows() -> None:
    assert bad(FLAT) == []


@pytest.mark.parametrize(
    ("name", "late"),
    [("rss_mb", 607.0), ("anonymous_mb", 506.0), ("descriptors", 9), ("threads", 6)],
)
def test_what_grows_is_told(name: str, late: float) -> None:
    assert bad([*FLAT[:20], *(replace(each, **{name: late}) for each in FLAT[20:])]) == [name]


def test_a_training_that_slows_down_is_told() -> None:
    slower = [replace(each, seconds=2 * each.seconds - 200) for each in FLAT[20:]]
    assert bad([*FLAT[:20], *slower]) == ["frames/s"]


def test_segments_are_those_that_the_process_maps() -> None:
    before = segments(os.getpid())
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.write(bytes(8))
        file.flush()
        assert segments(os.getpid()) == before
        with mmap.mmap(file.fileno(), 8):
            assert segments(os.getpid()) - before == {Path(file.name)}
    assert segments(os.getpid()) == before
