"""Commands that are advised: each works as it is printed, wherever the project lies."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from etl_framework import Event, Interrupted, RunReport, Status, Workspace
from etl_framework.cli import run
from etl_framework.program import addressed, program_for

CONFIG, STATE = "my project/e.toml", "its state"
CALLED = f"etl -c '{CONFIG}' --state-dir '{STATE}'"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is neither in the current folder nor keeps its state beside its configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    Path(CONFIG).parent.mkdir()
    Path(CONFIG).write_text("[defaults]\npart_size = '16KiB'\n")
    Path("sales.csv").write_text("id,price\n" + "".join(f"{number},{number}.5\n" for number in range(20_000)))
    return tmp_path


@pytest.fixture
def stopped(folder: Path) -> Interrupted:
    """A run of that project that Ctrl-C stopped."""

    def observe(event: Event) -> None:
        if event.name == "part_staged":
            raise KeyboardInterrupt

    workspace = Workspace.open(CONFIG, state_dir=STATE)
    with pytest.raises(Interrupted) as raised:
        workspace.load(workspace.job(None, ["sales.csv"], {}), observers=(observe,))
    return raised.value


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command line as a shell reads it; gives what it prints."""

    def command(line: str, code: int = 0) -> str:
        assert run(shlex.split(line)[1:]) == code, capsys.readouterr().err
        out, err = capsys.readouterr()
        return out + err

    return command


def test_the_advice_after_an_interruption_works_as_it_stands(stopped: Interrupted, printed: Callable[..., str]) -> None:
    [advised] = re.findall(r"`(etl [^`]*)` goes on", stopped.advice)
    assert advised.startswith(CALLED)
    assert "20,000 rows loaded" in printed(advised)


def test_a_report_names_commands_that_work_as_they_stand(stopped: Interrupted, printed: Callable[..., str]) -> None:
    report = stopped.report
    assert report is not None
    shown = printed(f"{report.program} runs show {report.run}")
    assert f"{CALLED} resume {report.run}" in " ".join(shown.split())
    done = printed(f"{report.program} resume {report.run}")
    assert f"{CALLED} runs show {report.run}" in " ".join(done.split())


def test_a_report_is_replayed_with_the_words_that_it_is_asked_for_with(
    stopped: Interrupted, printed: Callable[..., str]
) -> None:
    report = stopped.report
    assert isinstance(report, RunReport)
    assert report.program == CALLED
    document = json.loads(printed(f"etl --state-dir '{STATE}' runs show --json"))
    assert document["report"]["program"] == f"etl --state-dir '{STATE}'"


def test_advice_about_runs_names_the_project(stopped: Interrupted, printed: Callable[..., str]) -> None:
    [advised] = re.findall(r"`([^`]*)`", printed(f"{CALLED} resume nope", code=2))
    assert stopped.report is not None
    assert stopped.report.run in printed(advised)


def test_advice_keeps_plugins_out_that_the_run_began_without(folder: Path, printed: Callable[..., str]) -> None:
    ran = printed("etl --disable-plugin reports --state-dir s load sales.csv --json")
    assert json.loads(ran[: ran.rindex("}") + 1])["program"] == "etl --state-dir s --disable-plugin reports"


def test_what_the_demo_advises_works_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: Callable[..., str]
) -> None:
    monkeypatch.chdir(tmp_path)
    advised = re.findall(r"^ +(etl .*?)  ", printed("etl demo --folder 'a b'"), re.MULTILINE)
    assert len(advised) == 4
    for command in advised:
        if "YOUR_FILE" not in command:
            printed(command)


def test_a_signal_before_a_run_goes_on_leaves_it_resumable_and_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("my project/striking.py").write_text(
        "import os, signal\nif 'STRIKE' in os.environ:\n    os.kill(os.getpid(), int(os.environ['STRIKE']))\n"
    )
    Path(CONFIG).write_text("plugins = ['striking.py']\n[defaults]\npart_size = '16KiB'\n")

    def observe(event: Event) -> None:
        if event.name == "part_staged":
            raise KeyboardInterrupt

    workspace = Workspace.open(CONFIG, state_dir=STATE)
    with pytest.raises(Interrupted) as raised:
        workspace.load(workspace.job(None, ["sales.csv"], {}), observers=(observe,))
    assert raised.value.report is not None
    name = raised.value.report.run
    for number in (signal.SIGINT, signal.SIGTERM):
        monkeypatch.setenv("STRIKE", str(int(number)))
        command = [sys.executable, "-m", "etl_framework", *shlex.split(CALLED)[1:], "resume"]
        ended = subprocess.run(command, capture_output=True, text=True, env=os.environ)
        assert ended.returncode == 6, ended.stderr
        assert f"`{CALLED} resume {name}` goes on" in ended.stderr
    report = workspace.resume(name)
    assert report is not None
    assert report.status is Status.DONE


@pytest.mark.parametrize(
    ("advice", "expected"),
    [
        ("`etl runs list` shows it, or `etl load`.", "`etl -c x.toml runs list` shows it, or `etl -c x.toml load`."),
        ("`etl -c x.toml resume 1` goes on.", "`etl -c x.toml resume 1` goes on."),
        ("`etl demo` begins anew.", "`etl demo` begins anew."),
        ("Write one with `etl config init`.", "Write one with `etl config init`."),
        ("Install `other`.", "Install `other`."),
    ],
)
def test_commands_in_advice_name_the_project_once(advice: str, expected: str) -> None:
    assert addressed(advice, program_for(config="x.toml")) == expected
