"""Ctrl-C at any instant from the first on: the command ends soon, and says nothing that helps nobody."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Event, Thread, Timer

import pytest

from etl_framework.cli.signals import Terminated, terminable

ETL = Path(sys.executable).with_name("etl")
ENDINGS = (0, 6, 130, -signal.SIGINT)
"""It was done, it can be resumed, it says that it stopped, or it ended without a word, which shells call 130, too."""
COMMANDS = [
    ["validate", "small.csv"],
    ["load", "small.csv", "--again"],
    ["load", "small.csv", "--again", "--executor", "processes:2"],
    ["config", "validate"],
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("small.csv").write_text("a,b\n" + "".join(f"{number},some text\n" for number in range(2000)))
    return tmp_path


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module, and the folder where it can be imported from."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "struck_while_imported.py"
    sys.modules.pop("struck_while_imported", None)


def interrupted(words: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a command that its terminal interrupts after a while."""
    process = subprocess.Popen(
        [ETL, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    # The process group outlives the command where a worker of it hangs.
    strike = Timer(seconds, lambda: process.poll() is None and os.killpg(process.pid, signal.SIGINT))
    strike.start()
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"{words} hangs when it is interrupted after {seconds} s: {process.communicate()}")
    finally:
        strike.cancel()
        strike.join()
    return subprocess.CompletedProcess(words, process.returncode, out, err)


@pytest.mark.soak
@pytest.mark.parametrize("words", COMMANDS, ids=["validate", "load", "load on processes", "config validate"])
def test_ctrl_c_at_any_instant_ends_a_command_soon_and_in_order(
    folder: Path, words: list[str], full_campaign: bool
) -> None:
    # Python's own start, in which nothing of this project runs yet, is left out.
    for _ in range(100 if full_campaign else 5):
        seconds = random.SystemRandom().uniform(0.06, 0.8)
        ended = interrupted(words, seconds)
        assert ended.returncode in ENDINGS, (seconds, ended.stderr)
        assert "Traceback" not in ended.stderr, seconds
        assert "defect" not in ended.stderr, seconds


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("executor", ["threads:2", "processes:2"])
@pytest.mark.parametrize("command", ["load", "validate"])
def test_one_signal_ends_a_check_that_does_not_come_back(
    folder: Path, command: str, executor: str, number: signal.Signals
) -> None:
    Path("etl.toml").write_text(
        f'plugins = ["team.py"]\n[jobs.small]\nsource = "small.csv"\ntable = "t"\nexecutor = "{executor}"\n'
    )
    asks_whom = "getpid" if executor == "threads:2" else "getppid"
    Path("team.py").write_text(
        "import os\nfrom etl_framework import hookimpl, row_check\n\n"
        f"def endless(batch):\n    os.kill(os.{asks_whom}(), {int(number)})\n    while True:\n        pass\n\n"
        "@hookimpl\ndef etl_validate(job, analysis):\n    yield row_check('endless', endless)\n"
    )
    ended = subprocess.run([ETL, command, "small"], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == (6 if command == "load" else 128 + number), ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_a_signal_during_an_import_is_raised_once_the_import_has_ended(
    module: Path, number: int, kind: type[KeyboardInterrupt]
) -> None:
    module.write_text(f"import os\nos.kill(os.getpid(), {int(number)})\nwhole = True\n")
    with pytest.raises(KeyboardInterrupt) as raised, terminable():
        import_and_wait()
    assert type(raised.value) is kind
    assert sys.modules["struck_while_imported"].whole


def import_and_wait() -> None:
    import_module("struck_while_imported")
    Event().wait()


def test_a_signal_during_the_last_import_of_a_command_is_not_lost(module: Path) -> None:
    module.write_text(f"import os\nos.kill(os.getpid(), {int(signal.SIGINT)})\n")
    with pytest.raises(KeyboardInterrupt), terminable():
        import_module("struck_while_imported")


def test_a_third_signal_ends_a_process_whose_import_hangs(module: Path) -> None:
    module.write_text("import signal, threading\nprint('hanging', flush=True)\nthreading.Event().wait()\n")
    program = "from etl_framework.cli.signals import terminable\nwith terminable():\n    import struck_while_imported\n"
    process = subprocess.Popen([sys.executable, "-c", program], cwd=module.parent, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "hanging\n"
    give_up = Thread(target=strike_until_it_ends, args=(process,))
    give_up.start()
    process.communicate()
    give_up.join()
    assert process.returncode == -signal.SIGINT


def strike_until_it_ends(process: subprocess.Popen[str]) -> None:
    ended = Event()
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        ended.wait(0.05)


STRUCK_WHILE_A_LOCK_IS_TAKEN = """
import os, signal, sys, threading
from concurrent.futures import Future, _base, wait
from etl_framework.cli.signals import terminable

signal.signal(signal.SIGINT, signal.default_int_handler)
taking = {"condition": threading.Condition, "futures": _base._AcquireFutures}[sys.argv[1]].__enter__.__code__
future = Future()

def strike(frame, event, _):
    if event == "return" and frame.f_code is taking:
        sys.settrace(None)
        os.kill(os.getpid(), signal.SIGINT)
    return strike

def wait_for_ever():
    while True:
        wait([future], timeout=0.01)

try:
    with terminable():
        sys.settrace(strike)
        wait_for_ever()
except KeyboardInterrupt:
    sys.settrace(None)
other = threading.Thread(target=future.set_result, args=(None,), daemon=True)
other.start()
other.join(5)
print("hangs" if other.is_alive() else "goes on", flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("taking", ["condition", "futures"])
def test_a_signal_while_a_lock_is_taken_keeps_no_other_thread_from_it(taking: str) -> None:
    command = [sys.executable, "-c", STRUCK_WHILE_A_LOCK_IS_TAKEN, taking]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("goes on\n", "")


STRUCK_IN_A_COLLECTION = """
import gc, os, signal, threading
from etl_framework.cli.signals import terminable

signal.signal(signal.SIGINT, signal.default_int_handler)

def callback(phase, _):
    if phase == "start":
        gc.callbacks.clear()
        os.kill(os.getpid(), signal.SIGINT)

gc.callbacks.append(callback)
try:
    with terminable():
        gc.collect()
        threading.Event().wait(30)
except KeyboardInterrupt:
    print("stopped")
"""


def test_a_signal_that_arrives_while_garbage_is_collected_is_not_lost() -> None:
    ended = subprocess.run([sys.executable, "-c", STRUCK_IN_A_COLLECTION], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("stopped\n", "")


def test_a_signal_that_the_caller_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with terminable():
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("obeyed", [True, False])
def test_ctrl_c_is_ignored_where_it_would_end_the_process_once_it_has_been_obeyed(obeyed: bool) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        with suppress(KeyboardInterrupt), terminable():
            if obeyed:
                os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is (signal.SIG_IGN if obeyed else signal.SIG_DFL)
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_before_the_command_line_is_there_ends_the_program_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text(f"import os\nos.kill(os.getpid(), {int(signal.SIGINT)})\n")
    ended = subprocess.run([ETL], env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


def test_the_package_runs_as_the_program_does(tmp_path: Path) -> None:
    said = [
        subprocess.run([*program, "--version"], capture_output=True, text=True, cwd=tmp_path).stdout
        for program in ([ETL], [sys.executable, "-m", "etl_framework"])
    ]
    assert said[0].startswith("etl ")
    assert said[0] == said[1]
