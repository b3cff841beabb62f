"""The first signal asks, the second insists."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from experiments.interruption import Interrupted, interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_raised_at_the_next_check_only(number: signal.Signals) -> None:
    with interruptible() as check:
        check()
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted) as caught:
            check()
    assert caught.value.code == 128 + number
    assert caught.value.signal is number


def test_the_second_signal_is_raised_at_once() -> None:
    with interruptible():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGTERM)


def test_the_handlers_that_were_there_come_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with interruptible():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_in_another_thread_it_does_no_harm() -> None:
    finished = []

    def work() -> None:
        with interruptible() as check:
            check()
            finished.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert finished
