"""The first signal asks the process to stop; the second ends it as kill -9 would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from experiments.process.signals import (
    Interrupted,
    interruptible,
    interrupting,
    is_asked,
    raising,
    stop,
)
from tests.conftest import PROJECT, clean_environment

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
BEGINNING = """
import os, signal, sys, time
from experiments.process.signals import (
    be_one_of_several, end_at_once, interruptible, postpone, raising
)
end_at_once()
def send(name): os.kill(os.getpid(), getattr(signal, name))
"""


def ended(*lines: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program that handles signals from its first line."""
    return subprocess.run(
        [sys.executable, "-c", "\n".join([before, BEGINNING, *lines])],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_raised_at_the_next_check_only(number: signal.Signals) -> None:
    with interruptible() as check:
        check()
        os.kill(os.getpid(), number)
        assert is_asked()
        for _ in range(2):
            with pytest.raises(Interrupted) as caught:
                check()
    assert caught.value.code == 128 + number
    assert caught.value.signal is number
    assert not is_asked()


@pytest.mark.parametrize("others", [SystemExit(1), RuntimeError("a worker died")])
def test_a_library_that_exchanges_the_exception_hides_no_signal(others: BaseException) -> None:
    def call() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Interrupted:
            raise others from None

    with raising(), pytest.raises(Interrupted) as caught, interrupting():
        call()
    assert caught.value.signal is signal.SIGTERM
    with raising(), pytest.raises(type(others)), interrupting():
        raise others


@pytest.mark.parametrize("second", SIGNALS)
@pytest.mark.parametrize("context", ["interruptible", "raising"])
def test_the_second_signal_ends_the_process_and_nothing_else_is_done(
    context: str, second: signal.Signals
) -> None:
    done = ended(
        f"with {context}():",
        "    try:",
        "        send('SIGTERM')",
        "        time.sleep(0)",
        f"        send('{second.name}')",
        "    except BaseException:",
        f"        send('{second.name}')",
        "    finally:",
        "        print('tidied', flush=True)",
    )
    assert done.returncode == 128 + second
    assert "tidied" not in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("number", SIGNALS)
def test_before_a_run_the_first_signal_ends_the_process(number: signal.Signals) -> None:
    done = ended(f"send('{number.name}')", "print('alive')")
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")


def test_a_signal_that_comes_before_the_loop_is_kept_for_it() -> None:
    done = ended(
        *("postpone()", "send('SIGTERM')", "print('on', flush=True)"),
        *("with interruptible() as check:", "    check()"),
    )
    assert done.returncode == 143
    assert done.stdout == "SIGTERM: stopping; once more to stop at once\non\n"


def test_of_several_processes_the_end_of_the_run_tells_a_sigterm() -> None:
    """torchrun sends it when another process was lost, which is the cause to be told."""
    done = ended(
        *("be_one_of_several()", "postpone()", "send('SIGTERM')"),
        *("with interruptible() as check:", "    check()"),
    )
    assert (done.returncode, done.stdout) == (143, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_after_the_run_a_signal_ends_the_process_again(number: signal.Signals) -> None:
    done = ended(
        *("postpone()", "with interruptible() as check:", "    check()"),
        *(f"send('{number.name}')", "print('alive')"),
    )
    assert (done.returncode, done.stdout) == (128 + number, "")


def test_raising_tidies_up_and_leaves_a_loop_to_its_checks() -> None:
    done = ended(
        *("try:", "    with raising(): send('SIGTERM')", "except SystemExit as e: print(e.code)"),
        *("with interruptible() as check:", "    with raising(): send('SIGINT')"),
        *("    print('on', flush=True)", "    check()"),
    )
    assert done.returncode == 130
    assert "143\n" in done.stdout
    assert "on\n" in done.stdout


def test_nohup_is_obeyed() -> None:
    ignored = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    done = ended(
        *("send('SIGHUP')", "with interruptible() as check:", "    send('SIGHUP')", "    check()"),
        "print('alive')",
        before=ignored,
    )
    assert (done.returncode, done.stdout) == (0, "alive\n")


def test_a_process_that_a_part_forks_ends_at_its_first_signal() -> None:
    done = ended(
        *("ready, told = os.pipe()", "with interruptible() as check:"),
        *("    if (child := os.fork()) == 0:", "        os.write(told, b'.')"),
        *("        time.sleep(20)", "        os._exit(0)"),
        *("    os.read(ready, 1)", "    os.kill(child, signal.SIGTERM)"),
        *("    _, status = os.waitpid(child, 0)", "    check()"),
        "print(os.waitstatus_to_exitcode(status))",
    )
    assert done.stdout == "143\n"


def test_asked_by_another_thread_a_signal_is_still_the_first() -> None:
    with interruptible() as check:
        threading.Thread(target=stop).start()
        while not is_asked():
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted):
            check()


def test_the_handlers_that_were_there_come_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    for context in (interruptible, raising):
        with context():
            assert all(map(lambda n, b: signal.getsignal(n) is not b, SIGNALS, before))
        assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("context", [interruptible, raising])
def test_in_another_thread_it_does_no_harm(context) -> None:
    finished = []

    def work() -> None:
        with context() as check:
            if check:
                check()
            finished.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert finished


@pytest.mark.parametrize("moment", [0, 1, 2, 3])
def test_train_py_handles_signals_before_it_imports_anything_slow(moment: int) -> None:
    """The handlers are set before the import of each slow module."""
    train = (PROJECT / "train.py").read_text()
    slow = ["hydra", "omegaconf", "experiments.app", "experiments.composition.hydra_config"][moment]
    finder = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {slow!r}: os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    done = ended(train, before=finder)
    assert (done.returncode, done.stderr) == (143, "")
