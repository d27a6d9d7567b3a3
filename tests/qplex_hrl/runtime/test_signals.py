"""Signals: the first asks to stop, the second stops; handlers are given back."""

import signal
import threading

import pytest

from qplex_hrl.runtime.signals import Interrupt, Interrupted, ended_as_by_ctrl_c

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])


@SIGNALS
def test_the_first_signal_is_remembered_and_the_second_raises(number: signal.Signals) -> None:
    with Interrupt() as interrupt:
        assert not interrupt.requested
        signal.raise_signal(number)
        assert interrupt.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


@SIGNALS
def test_what_can_be_repeated_stops_at_once(number: signal.Signals) -> None:
    with Interrupt() as interrupt:
        with pytest.raises(Interrupted), interrupt.at_once():
            signal.raise_signal(number)
        with pytest.raises(Interrupted), interrupt.at_once():
            pytest.fail("the user already wanted to stop")


def test_after_such_a_block_signals_are_only_remembered() -> None:
    with Interrupt() as interrupt:
        with interrupt.at_once():
            pass
        signal.raise_signal(signal.SIGINT)
        assert interrupt.requested


def test_the_earlier_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interrupt():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_hang_up_that_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(signal.SIGHUP)
            assert not interrupt.requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_leave_signals_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work() -> None:
        with Interrupt():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


@SIGNALS
def test_whatever_is_not_asked_ends_as_at_ctrl_c(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with ended_as_by_ctrl_c():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        if number != signal.SIGINT:
            assert signal.getsignal(number) == signal.SIG_DFL  # the second one ends the process
    assert signal.getsignal(number) == before


def test_ctrl_c_by_other_signals_leaves_ignored_ones_and_a_trainings_own_alone() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_as_by_ctrl_c(), Interrupt() as interrupt:
            signal.raise_signal(signal.SIGHUP)
            assert not interrupt.requested
            signal.raise_signal(signal.SIGTERM)
            assert interrupt.requested
    finally:
        signal.signal(signal.SIGHUP, before)
