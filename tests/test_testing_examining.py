"""``etl plugins check``: installed plugins keep their contracts, and what they break is named."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from etl_framework.cli import run
from etl_framework.errors import ExitCode
from etl_framework.testing import misbehaving

GOOD = """
import pyarrow as pa
import pyarrow.compute as pc
from etl_framework import hookimpl, row_check

@hookimpl
def etl_validate(job, analysis):
    yield row_check("settled_currency", lambda batch: pc.is_in(batch["currency"], pa.array(["EUR"])))
"""
FORGETFUL = """
from etl_framework import Finding, Severity, hookimpl

class Counts:
    name = "counts"
    def __init__(self): self.rows = 0
    def update(self, block): self.rows += block.batch.num_rows
    def merge(self, other): pass
    def finish(self): yield Finding(rule="counts", severity=Severity.INFO, count=self.rows, message="rows")

@hookimpl
def etl_validate(): yield Counts()

@hookimpl
def etl_report(report): print(report.run)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a plugin in a file, and a job of a few rows."""
    monkeypatch.chdir(tmp_path)
    Path("sales.csv").write_text("id,price,currency\n1,2.5,EUR\n2,-1,XXX\n3,,EUR\n")
    Path("etl.toml").write_text(
        'plugins = ["team.py"]\n[jobs.sales]\nsource = "sales.csv"\ntable = "sales"\ntarget = "duckdb:w.duckdb"\n'
        '[targets.scratch]\nurl = "duckdb:scratch.duckdb"\n'
    )
    Path("team.py").write_text("")
    return tmp_path


def checked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the document."""
    capsys.readouterr()
    code = run(["plugins", "check", "--json", *words])
    return code, json.loads(capsys.readouterr().out)


def tried(document: dict[str, Any]) -> dict[str, set[bool | None]]:
    """By contract, how its promises ended."""
    found: dict[str, set[bool | None]] = {}
    for each in document["promises"]:
        found.setdefault(each["contract"], set()).add(each["ok"])
    return found


@pytest.mark.parametrize(
    ("name", "contracts", "needs"),
    [
        ("compression", {"codec zstd", "codec gzip", "codec none", "commands", "questions"}, set()),
        ("delimited", {"format"}, set()),
        ("quality", {"commands", "profiler"}, {"it gives no checks without a job's settings; give --job JOB"}),
        ("reports", {"reporter"}, set()),
    ],
)
def test_the_built_in_plugins_keep_what_can_be_tried_without_settings(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, contracts: set[str], needs: set[str]
) -> None:
    code, document = checked(capsys, name)
    assert code == ExitCode.DONE
    assert tried(document).keys() == {"plugin", *contracts}
    assert {each["why"] for each in document["not_run"]} == needs


def test_a_warehouse_is_tried_in_a_scratch_place_by_its_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("team.py").write_text(misbehaving.raises("etl_report"))
    code, document = checked(capsys, "duckdb", "--target", "scratch")
    assert code == ExitCode.DONE, document
    assert tried(document)["warehouse"] == {True}
    assert Path("scratch.duckdb").exists()
    assert not Path(".etl").exists()


def test_a_warehouse_without_a_scratch_place_is_not_tried(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = checked(capsys, "duckdb")
    assert code == ExitCode.DONE
    assert [(each["contract"], each["why"]) for each in document["not_run"]] == [
        ("warehouse", "give --target URL of an empty scratch place in it")
    ]


def test_checks_that_need_other_columns_than_generated_ones_are_tried_with_a_job(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("team.py").write_text(GOOD)
    code, document = checked(capsys, "team")
    assert (code, tried(document)) == (ExitCode.DONE, {"plugin": {True}})
    [passed_over] = document["not_run"]
    assert "give --job JOB" in passed_over["why"]
    code, document = checked(capsys, "team", "--job", "sales")
    assert (code, tried(document)) == (ExitCode.DONE, {"plugin": {True}, "validator": {True}})


RAISES = {
    "raise ValueError('boom')": "check 'late' raised ValueError: boom (at team.py:5)",
    "raise SystemExit(0)": "check 'late' raised SystemExit: 0 (at team.py:5)",
    "self.nothing": "check 'late' raised AttributeError: 'Late' object has no attribute 'nothing' (at team.py:5)",
    "block.batch['id'].frobnicate()": "check 'late' raised AttributeError: ",
}
LATE = """
from etl_framework import hookimpl
class Late:
    name = "late"
    def update(self, block): {update}
    def merge(self, other): pass
    def finish(self): return {finish}
class Early(Late):
    name = "early"
    def update(self, block): pass
    def finish(self): return ()
@hookimpl
def etl_validate(): return [Early(), Late()]
"""


@pytest.mark.parametrize("update", RAISES)
def test_a_check_that_raises_is_broken_and_named_also_without_a_job(
    folder: Path, capsys: pytest.CaptureFixture[str], update: str
) -> None:
    Path("team.py").write_text(LATE.format(update=update, finish="()"))
    code, document = checked(capsys, "team")
    assert (code, tried(document)) == (ExitCode.PLUGIN, {"plugin": {True}, "validator": {False}})
    [broken] = [each for each in document["promises"] if each["ok"] is False]
    assert broken["why"].startswith(RAISES[update])
    assert broken["why"].endswith("if it is made for other rows than generated ones, give --job JOB")


def test_what_ends_pytest_itself_is_told_and_no_promise_passes_for_kept(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from etl_framework.testing.contracts import of_plugin

    def leave(_: object) -> None:
        raise SystemExit(0)

    monkeypatch.setitem(of_plugin._BY_HOOK, "etl_validate", leave)  # type: ignore[index]
    Path("team.py").write_text(GOOD)
    assert run(["plugins", "check", "team"]) == ExitCode.PLUGIN
    said = capsys.readouterr().err
    assert "the contracts of plugin 'team' could not be tried, since etl_validate failed: SystemExit: 0" in said
    assert "INTERNALERROR" not in said


def test_a_check_that_finds_nonsense_is_broken_also_without_a_job(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("team.py").write_text(LATE.format(update="pass", finish="[7]"))
    code, document = checked(capsys, "team")
    assert code == ExitCode.PLUGIN
    assert "check 'late' raised TypeError: it gave int instead of Finding" in str(document["promises"])


@pytest.mark.parametrize(
    "update",
    ["block.batch['currency']", "__import__('pyarrow.compute').compute.add(block.batch['name'], 1)"],
    ids=["column", "type"],
)
def test_a_check_that_generated_rows_do_not_suit_is_named_and_not_broken(
    folder: Path, capsys: pytest.CaptureFixture[str], update: str
) -> None:
    Path("team.py").write_text(LATE.format(update=update, finish="()"))
    code, document = checked(capsys, "team")
    assert (code, tried(document)) == (ExitCode.DONE, {"plugin": {True}})
    [passed_over] = document["not_run"]
    assert passed_over["why"].startswith("generated rows do not suit it (check 'late' raised ")
    assert passed_over["why"].endswith("(at team.py:5)); give --job JOB")


ASKS = """
class Asks(Late):
    insists = {insists}
    def __init__(self): self.told = 0
    def ask(self, warehouse): return ["EUR"]
    def tell(self, answer): self.told += 1
    def update(self, block): assert self.told == 1
@hookimpl
def etl_validate(): return [Asks(), Early()]
"""


@pytest.mark.parametrize("options", [(), ("--job", "sales")], ids=["generated rows", "a job's rows"])
def test_a_check_that_must_ask_the_warehouse_is_not_tried_without_one(
    folder: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    late = LATE.format(update="pass", finish="()").partition("@hookimpl")[0]
    Path("team.py").write_text(late + ASKS.format(insists=True))
    code, document = checked(capsys, "team", *options)
    assert (code, tried(document)) == (ExitCode.DONE, {"plugin": {True}, "validator": {True}})
    [passed_over] = document["not_run"]
    assert passed_over["why"] == "late: asks the warehouse first, and there is none here"
    Path("team.py").write_text(late + ASKS.format(insists=False))
    code, document = checked(capsys, "team", *options)
    assert (code, tried(document)) == (ExitCode.DONE, {"plugin": {True}, "validator": {True}})
    assert document["not_run"] == []


@pytest.mark.parametrize("hook", ["etl_validate", "etl_check"])
def test_a_hook_that_raises_is_broken_also_without_a_job(
    folder: Path, capsys: pytest.CaptureFixture[str], hook: str
) -> None:
    Path("team.py").write_text(misbehaving.hook_that(hook, "raise ValueError('boom')"))
    code, document = checked(capsys, "team")
    assert code == ExitCode.PLUGIN
    [broken] = [each for each in document["promises"] if each["ok"] is False]
    assert f"failed in {hook}: ValueError: boom" in broken["why"]


FOREVER = """
        import signal
        if signal.getitimer(signal.ITIMER_REAL)[0] > 500: signal.setitimer(signal.ITIMER_REAL, 0.01)
        while True: pass
"""


@pytest.mark.parametrize(
    ("options", "where"),
    [((), "etl_validate"), (("--job", "sales"), "validator: it finds what is wrong with the rows")],
    ids=["generated rows", "a job's rows"],
)
def test_a_check_that_does_not_end_is_stopped_and_named(
    folder: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], where: str
) -> None:
    Path("team.py").write_text(LATE.format(update=FOREVER, finish="()"))
    before = signal.getsignal(signal.SIGALRM)
    code, document = checked(capsys, "team", "--time-limit", "1000", *options)
    assert code == ExitCode.PLUGIN
    [broken] = [each for each in document["promises"] if each["ok"] is False]
    assert (broken["contract"], broken["promise"]) == ("plugin", "it ends in time")
    assert broken["why"] == (
        f"plugin 'team' was not done after 1000 s with {where}; "
        "--time-limit gives it longer, and what follows is not tried"
    )
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


SPENDS = """
        import signal
        with open("left", "a") as file: file.write("all " if signal.getitimer(signal.ITIMER_REAL)[0] > 500 else "")
        signal.setitimer(signal.ITIMER_REAL, 400)
"""


def test_each_promise_has_all_of_the_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("team.py").write_text(LATE.format(update=SPENDS, finish="()"))
    code, document = checked(capsys, "team", "--job", "sales", "--time-limit", "1000")
    assert code == ExitCode.DONE
    assert 2 < Path("left").read_text().count("all") <= len(document["promises"])


def test_somebody_s_ctrl_c_ends_it_without_a_verdict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("team.py").write_text(LATE.format(update="raise KeyboardInterrupt", finish="()"))
    for options in ((), ("--job", "sales")):
        assert run(["plugins", "check", "team", *options]) == 130
        assert "promise" not in capsys.readouterr().out


def test_a_job_whose_settings_are_wrong_is_named_and_nothing_is_held_against_the_plugin(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("etl.toml").open("a") as file:
        file.write("[jobs.sales.checks]\nnonsense = 1\n")
    code, document = checked(capsys, "quality", "--job", "sales")
    assert (code, tried(document)["plugin"]) == (ExitCode.DONE, {True})
    reasons = {each["contract"]: each["why"] for each in document["not_run"]}
    assert reasons.keys() == {"validator", "table check"}
    assert all("nonsense" in why for why in reasons.values())


def test_a_plugin_that_fails_with_a_job_breaks_its_promises(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("team.py").write_text(
        "from etl_framework import hookimpl\n"
        "@hookimpl\ndef etl_validate(): yield from (); raise ValueError('boom')\n"
        "@hookimpl\ndef etl_check(): yield from (); raise ValueError('boom')\n"
    )
    code, document = checked(capsys, "team", "--job", "sales")
    assert code == ExitCode.PLUGIN
    assert tried(document)["validator"] == {False}
    assert False in tried(document)["table check"]
    assert any("boom" in each["why"] for each in document["promises"])


def test_broken_promises_are_named_in_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("team.py").write_text(FORGETFUL)
    assert run(["plugins", "check", "team"]) == ExitCode.PLUGIN
    told = capsys.readouterr().out
    lines = [line for line in told.splitlines() if "failed" in line]
    assert any("it finds the same however the rows are cut and merged" in line for line in lines)
    assert any("it prints nothing unless the report is for the console" in line for line in lines)
    assert "it prints '20240131-120000-literal" in told
    assert told.splitlines()[-1].startswith("team: ")


def test_a_defect_that_breaks_several_promises_is_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("team.py").write_text(FORGETFUL.replace("Severity.INFO", "'info'"))
    assert run(["plugins", "check", "team", "--job", "sales"]) == ExitCode.PLUGIN
    told = capsys.readouterr().out.splitlines()
    reason = "  TypeError: counts: the severity is 'info': str instead of Severity"
    assert told.count(reason) == 1
    above = told[told.index(reason) - 1]
    assert re.fullmatch(r"failed: validator: it finds what is wrong with the rows, and \d more", above)


def test_a_plugin_of_which_nothing_can_be_tried_is_not_said_to_keep_more_than_it_does(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for source, last in (
        (GOOD, "team: nothing was tried but that it loads: 1 promise kept, 0 broken"),
        (misbehaving.import_error(), "team: 0 promises kept, 1 broken"),
    ):
        Path("team.py").write_text(source)
        run(["plugins", "check", "team"])
        assert capsys.readouterr().out.splitlines()[-1] == last


def test_a_check_that_prints_breaks_a_promise(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("team.py").write_text(GOOD.replace("lambda batch: pc", "lambda batch: print('a row') or pc"))
    _, document = checked(capsys, "team", "--job", "sales")
    broken = [(each["promise"], each["why"]) for each in document["promises"] if not each["ok"]]
    assert broken == [("it prints nothing", "it prints " + repr("a row\n"))]


def test_nobody_is_notified_of_a_run_that_never_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("team.py").write_text(
        "from etl_framework import hookimpl\n@hookimpl\ndef etl_report(report): assert report.replayed\n"
    )
    code, document = checked(capsys, "team")
    assert (code, tried(document)) == (ExitCode.DONE, {"plugin": {True}, "reporter": {True}})


def test_a_plugin_that_does_not_load_breaks_its_first_promise(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("team.py").write_text(misbehaving.import_error())
    code, document = checked(capsys, "team")
    assert code == ExitCode.PLUGIN
    [loads] = document["promises"]
    assert (loads["promise"], loads["ok"]) == ("it loads", False)
    assert "a_module_that_is_not_there" in loads["why"]


def test_an_unknown_plugin_is_told_as_such(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plugins", "check", "taem"]) == ExitCode.USAGE
    assert "there is no plugin 'taem'" in capsys.readouterr().err


def test_without_pytest_it_says_what_to_install(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytest", None)
    assert run(["plugins", "check", "reports"]) == ExitCode.PLUGIN
    told = capsys.readouterr().err
    assert "pytest is not installed" in told
    assert "pip install pytest" in told
