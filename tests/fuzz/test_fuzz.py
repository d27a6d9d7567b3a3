"""A fixed sample of inputs that nobody should send; `make fuzz` sends many more."""

import contextlib
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import ROOT

RUN = ROOT / "tests/fuzz/run.py"
sys.path.insert(0, str(RUN.parent))

from run import KINDS  # noqa: E402 (the folder is none of pytest's paths)
from worker import load_kind  # noqa: E402

SAMPLE = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@pytest.mark.slow
@pytest.mark.jit
def test_nothing_bad_comes_of_a_sample_of_inputs() -> None:
    """Each input in a process of its own: nothing crashes, hangs, or is accepted that is wrong."""
    # A process of its own: one that has run parallel kernels cannot be forked.
    words = [sys.executable, str(RUN), "--inputs", "40", "--seed", "1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(kind in done.stdout for kind in KINDS)


@pytest.mark.parametrize("name", ["configuration", "messages"])
def test_inputs_raise_nothing_but_refusals(name: str) -> None:
    """The same inputs, drawn by Hypothesis, which finds the smallest one that fails."""
    with tempfile.TemporaryDirectory() as folder:
        kind = load_kind(name, Path(folder))

        @SAMPLE
        @given(st.randoms(use_true_random=False))
        def sends(rng: random.Random) -> None:
            with contextlib.suppress(ValueError, OSError):
                kind.attempt(kind.make(rng))

        sends()


def test_an_input_follows_from_kind_seed_and_index() -> None:
    from worker import input_rng

    draws = [input_rng("trace", 0, 7).random() for _ in range(2)]
    assert draws[0] == draws[1] != input_rng("trace", 0, 8).random()


def test_a_crash_is_an_outcome() -> None:
    """A worker that dies, fails, hangs or fills memory is told with its input; others go on."""
    words = [sys.executable, "-c", _BROKEN, str(RUN.parent)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    expected = ["accepted", "crash", "traceback", "wrong", "big", "refused", "slow", "accepted"]
    assert done.stdout.split() == expected


_BROKEN = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import worker

class Broken:
    def attempt(self, made):
        match made:
            case 1: os.abort()
            case 2: return 1 / 0
            case 3: raise worker.Wrong("no")
            case 4: return bytearray(1 << 40) and False
            case 5: raise ValueError("refused")
            case 6: time.sleep(60)
        return False

def judged(kind, index, rng, judge=worker.judge):
    kind.make = lambda _: index
    return judge(kind, index, rng)

worker.load_kind, worker.judge, worker._HANGS_AFTER = lambda *_: Broken(), judged, 0.5
for outcome in worker.outcomes_of("broken", 0, range(8)):
    print(outcome.what)
"""
