"""Compilation is told once, when it takes longer than a moment."""

import threading

import numba
import pytest

from qplex_hrl.runtime import compilation
from qplex_hrl.runtime.compilation import NOTICE, compilation_told

WAIT = 30.0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "_PATIENCE", 0.0)


def compile_something() -> None:
    """Compile a function that calls another: one compilation within the other."""
    inner = numba.njit(lambda x: x + 1)
    numba.njit(lambda x: inner(x) + 1)(1)


@pytest.mark.jit
@pytest.mark.usefixtures("impatient")
def test_compilation_is_told_once() -> None:
    told: list[str] = []
    said = threading.Event()

    def say(text: str) -> None:
        told.append(text)
        said.set()

    with compilation_told(say):
        compile_something()
        assert said.wait(WAIT)
        compile_something()
    assert told == [NOTICE]


@pytest.mark.usefixtures("impatient")
def test_nothing_is_told_without_compilation_or_after_the_block() -> None:
    told: list[str] = []
    with compilation_told(told.append):
        pass
    compile_something()
    assert told == []


def test_a_moment_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "_PATIENCE", WAIT)
    told: list[str] = []
    with compilation_told(told.append):
        compile_something()
    assert told == []
    names = [type(each).__name__ for each in threading.enumerate() if each.is_alive()]
    assert "Timer" not in names or all(t.finished.is_set() for t in timers())


def timers() -> list[threading.Timer]:
    return [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
