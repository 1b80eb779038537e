"""A load with a plugin that misbehaves: the plugin is named, nothing is half done, and a repaired one loads all."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from etl_framework import HookFailed, Status, Workspace
from etl_framework.cli import run
from etl_framework.errors import ExitCode
from etl_framework.plugins.plugin import HOOKS, QUESTIONS
from etl_framework.testing.misbehaving import DO_NOT_LOAD, hook_that, misspelt

if TYPE_CHECKING:
    from etl_framework.testing import FakePlugins

ROWS = 3_000
# Commands are asked for before a load begins, and profilers by `etl analyze --profile`.
STEPS = [hook for hook in HOOKS if hook not in ("etl_report", "etl_event", "etl_commands", "etl_profile")]
# Only the plugin that connected is asked for these, unless the job names another.
CHANGES = ("etl_upload", "etl_load")
CHECK = """
from etl_framework import hookimpl

class Check:
    name = "late"
    def update(self, block): pass
    def merge(self, other): pass
    def finish(self): return ()

@hookimpl
def etl_validate(job): yield Check()
"""


# What a plugin that the job names must do for a hook, done by what is there.
REPAIRED = """
from etl_duckdb.staging import stage
from etl_framework import hookimpl

@hookimpl
def etl_upload(part, run): return stage(part, run)

@hookimpl
def etl_load(parts, warehouse, run): return warehouse.load(parts, run)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job whose plugin, ``aaa_team``, is asked before all others."""
    monkeypatch.chdir(tmp_path)
    Path("sales.csv").write_text("id,price\n" + "".join(f"{number},{number}.5\n" for number in range(ROWS)))
    Path("etl.toml").write_text(
        'plugins = ["aaa_team.py"]\n[jobs.sales]\nsource = "sales.csv"\ntable = "sales"\n'
        'target = "duckdb:w.duckdb"\nexecutor = "threads:1"\npart_size = "16KiB"\ncheck = "both"\n'
    )
    return tmp_path


def write_plugin(source: str) -> None:
    Path("aaa_team.py").write_text(source)


def rows_in_table() -> int | None:
    """How many rows the table has; None when there is no table."""
    if not Path("w.duckdb").exists():
        return None
    with duckdb.connect("w.duckdb", read_only=True) as connection:
        try:
            found = connection.execute("SELECT count(*), count(DISTINCT id), sum(id) FROM sales").fetchone()
        except duckdb.CatalogException:
            return None
    assert found
    count, distinct, total = found
    assert (distinct, total) == (count, sum(range(count)))
    return int(count)


def files_of_runs() -> list[str]:
    """What runs have packed or staged, by name."""
    folders = (folder for name in ("packed", "staged") for folder in Path(".etl/runs").rglob(name))
    return sorted(path.name for folder in folders for path in folder.iterdir())


def known_to_the_journal() -> set[str]:
    """What runs that can be resumed have packed or staged, as their journal has it, by name."""
    workspace = Workspace.open()
    with workspace.state.journal() as journal:
        return {piece.name for record in workspace.to_resume() for piece, _ in journal.pieces(record.run)}


def assert_nothing_half_done() -> None:
    """No table, no lock that is held, and no file but those of whole parts that a resumed run goes on with."""
    assert rows_in_table() is None
    assert set(files_of_runs()) <= known_to_the_journal()
    workspace = Workspace.open()
    assert Status.RUNNING not in [record.status for record in workspace.runs()]
    job = workspace.job("sales", [], {})
    assert not workspace.state.is_locked(job.name, job.target)


def assert_all_loaded_and_nothing_left() -> None:
    assert rows_in_table() == ROWS
    assert files_of_runs() == []
    assert Workspace.open().to_resume() == ()


def assert_named_and_nothing_done(capsys: pytest.CaptureFixture[str], hook: str) -> None:
    message = " ".join(capsys.readouterr().err.split())
    assert re.search(rf"plugin 'aaa_team' \(\S+aaa_team\.py\) failed in {hook}: ", message)
    assert "etl --disable-plugin aaa_team …" in message
    assert "Traceback" not in message
    assert_nothing_half_done()


@pytest.mark.parametrize("hook", STEPS)
@pytest.mark.parametrize("does", ["raise ValueError('boom')", "return 7", "raise SystemExit(0)"])
def test_a_plugin_that_misbehaves_in_a_step_ends_the_run_before_the_table_changes(
    folder: Path, capsys: pytest.CaptureFixture[str], hook: str, does: str
) -> None:
    question = hook.removeprefix("etl_")
    use = [f"--use={question}=aaa_team"] * (question in QUESTIONS)
    write_plugin(hook_that(hook, does))
    assert run(["-q", *use, "load", "sales"]) == ExitCode.PLUGIN
    assert_named_and_nothing_done(capsys, hook)
    write_plugin(hook_that(hook, "return None"))
    assert run(["-q", "load", "sales"]) == ExitCode.DONE
    assert_all_loaded_and_nothing_left()


# Whoever fails before the parts are planned leaves nothing to resume.
@pytest.mark.parametrize("hook", ["etl_validate", "etl_upload", "etl_load"])
@pytest.mark.parametrize("does", ["raise ValueError('boom')", "return 7"])
def test_a_run_that_a_plugin_ended_is_resumed_when_the_plugin_is_repaired(folder: Path, hook: str, does: str) -> None:
    write_plugin(hook_that(hook, does))
    use = [f"--use={hook.removeprefix('etl_')}=aaa_team"] * (hook in CHANGES)
    assert run(["-q", *use, "load", "sales"]) == ExitCode.PLUGIN
    write_plugin(REPAIRED if hook in CHANGES else hook_that(hook, "return None"))
    assert run(["-q", "resume"]) == ExitCode.DONE
    assert_all_loaded_and_nothing_left()


@pytest.mark.parametrize("then", ["raise ValueError('boom')", "return 7"])
def test_a_plugin_that_fails_after_it_committed_is_named_and_resuming_loads_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], then: str
) -> None:
    commits = "from etl_framework import hookimpl\n@hookimpl\ndef etl_load(parts, warehouse, run):\n"
    write_plugin(f"{commits}    warehouse.load(parts, run)\n    {then}\n")
    assert run(["-q", "--use=load=aaa_team", "load", "sales"]) == ExitCode.PLUGIN
    assert "plugin 'aaa_team'" in capsys.readouterr().err
    assert rows_in_table() == ROWS
    assert run(["-q", "resume"]) == ExitCode.DONE
    assert_all_loaded_and_nothing_left()


@pytest.mark.parametrize("hook", HOOKS)
def test_a_misspelt_hook_stops_the_run_before_anything_is_done_whichever_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str], hook: str
) -> None:
    write_plugin(misspelt(hook))
    assert run(["-q", "load", "sales"]) == ExitCode.PLUGIN
    message = " ".join(capsys.readouterr().err.split())
    assert "aaa_team.py" in message
    assert "did you mean etl_" in message
    assert "etl --disable-plugin aaa_team …" in message
    assert not Path("w.duckdb").exists()
    assert not Path(".etl").exists()


@pytest.mark.parametrize("method", ["update(self, block)", "merge(self, other)", "finish(self)"])
def test_a_check_that_fails_while_it_is_used_ends_the_run_before_the_table_changes(
    folder: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    write_plugin(re.sub(rf"(def {re.escape(method)}): .*", r"\1: raise ValueError('boom')", CHECK))
    assert run(["-q", "load", "sales"]) == ExitCode.PLUGIN
    assert_named_and_nothing_done(capsys, "etl_validate")
    write_plugin(CHECK)
    assert run(["-q", "load", "sales"]) == ExitCode.DONE
    assert_all_loaded_and_nothing_left()


FINDING = "Finding(rule='late', severity=Severity.WARNING, count=1, message='late', samples=(Sample(value='1'),))"
NONSENSE = {
    "7": "it gave int instead of Finding",
    FINDING.replace("'late', sev", "'', sev"): "which wants a rule, a message and a count of 0 or more",
    FINDING.replace("Severity.WARNING", "'warning'"): "late: the severity is 'warning': str instead of Severity",
    FINDING.replace("=1", "=1.5"): "late: the count is 1.5: float instead of int",
    FINDING.replace("=1", "=-1"): "which wants a rule, a message and a count of 0 or more",
    FINDING.replace("message='late'", "message=object()"): "late: the message is <object object",
    FINDING.replace("(Sample(value='1'),)", "['1']"): "late: samples is ['1']: list instead of tuple",
    FINDING.replace("=1", "=1, cause=2"): "late: the cause is 2: int instead of str",
    FINDING.replace("=1", "=1, also='r'"): "late: also is 'r': str instead of tuple",
    FINDING.replace("=1", "=1, also=(2,)"): "late: a rule of also is 2: int instead of str",
    FINDING.replace("Sample(value='1')", "'1'"): "late: a sample is '1': str instead of Sample",
    FINDING.replace("'1'", "1"): "late: the value of a sample is 1: int instead of str",
    FINDING.replace("'1'", "'1', line=1, part=99"): "late: a sample lies in part 99, which it was never shown",
}


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("hook", ["etl_validate", "etl_check"])
def test_a_check_whose_findings_are_nonsense_is_named_and_nothing_is_loaded(
    folder: Path, capsys: pytest.CaptureFixture[str], hook: str, nonsense: str
) -> None:
    source = "from etl_framework import Finding, Sample, Severity\n" + CHECK.replace("etl_validate", hook)
    run_or_finish = "run(self, rows)" if hook == "etl_check" else "finish(self)"
    write_plugin(source.replace("finish(self): return ()", f"{run_or_finish}: return [{nonsense}]"))
    assert run(["-q", "load", "sales"]) == ExitCode.PLUGIN
    told = capsys.readouterr().err
    assert NONSENSE[nonsense] in told
    assert f"plugin 'aaa_team' ({folder / 'aaa_team.py'}) failed in {hook}: " in told
    assert rows_in_table() in (None, 0)
    write_plugin(source.replace("finish(self): return ()", f"{run_or_finish}: return [{FINDING}]"))
    assert run(["-q", "resume"]) == ExitCode.DONE
    assert_all_loaded_and_nothing_left()


@pytest.mark.parametrize("nonsense", ["7", "{1: 2}", "{'rows': 'many'}"])
def test_a_check_whose_figures_are_nonsense_is_named(folder: Path, nonsense: str) -> None:
    write_plugin(CHECK.replace("(self): return ()", f"(self): return ()\n    def measures(self): return {nonsense}"))
    workspace = Workspace.open()
    with pytest.raises(HookFailed, match=r"plugin 'aaa_team' .* failed in etl_validate: TypeError: measures\(\) gave "):
        workspace.load(workspace.job("sales", (), {}))
    assert rows_in_table() is None


@pytest.mark.parametrize("executor", ["threads:1", "processes:1"])
def test_a_check_that_cannot_be_pickled_is_named_and_nothing_is_loaded(folder: Path, executor: str) -> None:
    write_plugin(CHECK.replace("block): pass", "block): self.kept = lambda: 1"))
    workspace = Workspace.open()
    with pytest.raises(
        HookFailed, match=r"plugin 'aaa_team' .* failed in etl_validate: .*the check 'late' cannot be pickled"
    ):
        workspace.load(workspace.job("sales", (), {"executor": executor}))
    assert rows_in_table() is None


def test_what_fails_in_a_library_is_told_with_the_line_of_the_plugin_that_called_it(folder: Path) -> None:
    write_plugin(CHECK.replace("block): pass", "block): block.batch['nope']"))
    line = Path("aaa_team.py").read_text().splitlines().index("    def update(self, block): block.batch['nope']") + 1
    workspace = Workspace.open()
    with pytest.raises(HookFailed, match=rf"\(at aaa_team\.py:{line}\)"):
        workspace.load(workspace.job("sales", (), {}))


# Of checks that the framework asks, with no line of the plugin under way.
ASKED = {
    'row_check("r", lambda batch: batch["price"])': "r: the predicate gives double, not boolean",
    'row_check("r", lambda batch: pc.is_null(batch["id"]), column="prise")': (
        "r: there is no column 'prise'; did you mean 'price'?"
    ),
    'total_check("t", {"sum": ("prise", "sum")}, bool)': "t: there is no column 'prise'; did you mean 'price'?",
    'total_check("t", {"sum": ("id", "sum")}, lambda total: total["sum"])': "t: the predicate gives int, not bool",
    'key_check("k", "prise", {"n": (None, "count")}, bool)': "k: there is no column 'prise'; did you mean 'price'?",
    'key_check("k", "id", {"n": (None, "count")}, lambda keys: keys["n"])': "k: the predicate gives int64, not boolean",
    'total_check("t", {"n": (lambda batch: pa.array([[1]] * batch.num_rows), "max")}, bool)': "(in check 't', ",
}


@pytest.mark.parametrize("check", ASKED)
def test_a_check_that_fails_in_the_framework_is_told_with_the_line_that_made_it(
    folder: Path, capsys: pytest.CaptureFixture[str], check: str
) -> None:
    header = (
        "import pyarrow as pa, pyarrow.compute as pc\nfrom etl_framework import *\n@hookimpl\ndef etl_validate():\n"
    )
    write_plugin(f"{header}    yield {check}\n")
    assert run(["-q", "load", "sales"]) == ExitCode.PLUGIN
    told = capsys.readouterr().err.splitlines()[0]
    assert ASKED[check] in told
    assert told.endswith("at aaa_team.py:5)")
    assert rows_in_table() in (None, 0)


@pytest.mark.parametrize("hook", ["etl_report", "etl_event"])
@pytest.mark.parametrize("does", ["raise ValueError('boom')", "return 7", "raise SystemExit(1)"])
def test_an_observer_that_misbehaves_is_named_and_the_load_succeeds(
    folder: Path, capsys: pytest.CaptureFixture[str], hook: str, does: str
) -> None:
    write_plugin(hook_that(hook, does))
    assert run(["load", "sales", "--json"]) == ExitCode.DONE
    assert f"failed in {hook}: " in capsys.readouterr().out
    assert rows_in_table() == ROWS


@pytest.mark.parametrize(
    "source",
    ["raise SystemExit(0)", hook_that("etl_load", "pass)"), *(does("etl_load") for does in DO_NOT_LOAD.values())],
)
def test_a_plugin_that_does_not_load_stops_the_run_and_is_listed_with_the_reason(
    folder: Path, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    write_plugin(source)
    assert run(["load", "sales"]) == ExitCode.PLUGIN
    assert "etl --disable-plugin aaa_team …" in capsys.readouterr().err
    assert not Path("w.duckdb").exists()
    assert not Path(".etl").exists()
    assert run(["plugins", "list", "--json"]) == ExitCode.PLUGIN
    document = json.loads(capsys.readouterr().out)
    broken = [plugin for plugin in document["items"] if plugin["error"]]
    assert [plugin["name"] for plugin in broken] == ["aaa_team"]
    assert run(["-q", "--disable-plugin", "aaa_team", "load", "sales"]) == ExitCode.DONE
    assert rows_in_table() == ROWS


@pytest.mark.parametrize("does", ["raise ValueError('boom')", "return 7", "yield 7", "raise SystemExit(0)"])
def test_a_plugin_whose_commands_fail_is_named_and_a_load_does_without_them(
    folder: Path, fake_plugins: FakePlugins, does: str
) -> None:
    # In a process of its own, which sees the real plugins as well.
    write_plugin("")
    fake_plugins(team=hook_that("etl_commands", does))
    environment = {**os.environ, "PYTHONPATH": str(folder / "installed")}
    etl = [sys.executable, "-c", "from etl_framework.cli import main; main()"]
    load, unknown = (
        subprocess.run([*etl, "-q", *words], capture_output=True, text=True, check=False, env=environment)
        for words in (["load", "sales"], ["stats"])
    )
    assert (load.returncode, unknown.returncode) == (ExitCode.DONE, ExitCode.PLUGIN)
    assert "plugin 'team' (team-dist 1.0) failed in etl_commands: " in unknown.stderr
    assert "etl --disable-plugin team …" in " ".join(unknown.stderr.split())
    assert_all_loaded_and_nothing_left()


def test_help_still_works_beside_a_broken_plugin(fake_plugins: FakePlugins, capsys: pytest.CaptureFixture[str]) -> None:
    fake_plugins(team="import not_there")
    assert run(["--help"]) == ExitCode.DONE
    told = capsys.readouterr()
    assert "Usage: etl" in told.out
    assert "plugin team is broken" in told.err


def test_the_report_of_a_run_that_broke_off_tells_how_much_was_read(folder: Path) -> None:
    write_plugin(CHECK.replace("self, block): pass", "self, block): 1 / (block.part - 1)"))
    workspace = Workspace.open()
    with pytest.raises(HookFailed) as caught:
        workspace.load(workspace.job("sales", (), {}))
    report = caught.value.report
    assert report
    first = next(part for part in workspace.plan(workspace.job("sales", (), {})).parts if part.number == 0)
    assert report.bytes_read == first.size < report.sources[0].size
    write_plugin(CHECK)
    resumed = workspace.resume()
    assert resumed
    assert resumed.bytes_read == resumed.sources[0].size


def test_a_check_of_the_warehouse_that_cannot_be_made_is_told_before_anything_is_read(folder: Path) -> None:
    write_plugin(hook_that("etl_check", "raise ValueError('boom')"))
    workspace = Workspace.open()
    with pytest.raises(HookFailed, match=r"failed in etl_check: .*boom") as caught:
        workspace.load(workspace.job("sales", (), {}))
    assert caught.value.report
    assert caught.value.report.bytes_read == 0


def test_a_run_whose_plugin_failed_goes_on_with_the_repaired_one_and_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_plugin(hook_that("etl_upload", "raise ZeroDivisionError"))
    with Path("etl.toml").open("a") as config:
        config.write('use = { upload = "aaa_team" }\n')
    assert run(["-q", "load", "sales"]) == ExitCode.PLUGIN
    said = " ".join(capsys.readouterr().err.split())
    [name] = (record.run for record in Workspace.open().to_resume())
    assert f"`etl resume {name}` goes on once the plugin is repaired; a load without it begins anew." in said
    assert "go on without it" not in said
    write_plugin(REPAIRED)
    assert run(["-q", "resume", name]) == ExitCode.DONE
    assert_all_loaded_and_nothing_left()


def test_a_run_that_is_resumed_without_one_of_its_plugins_says_which_and_what_works(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_plugin(hook_that("etl_validate", "raise ZeroDivisionError"))
    assert run(["-q", "load", "sales"]) == ExitCode.PLUGIN
    [name] = (record.run for record in Workspace.open().to_resume())
    capsys.readouterr()
    assert run(["-q", "--disable-plugin", "aaa_team", "resume", name]) == ExitCode.PLUGIN
    said = " ".join(capsys.readouterr().err.split())
    assert f"run {name} began with the plugin aaa_team, which is disabled now" in said
    assert "`etl --disable-plugin aaa_team load` begins anew" in said
    assert "required_plugins" not in said
    assert "Did you mean" not in said


MUTATING = """
import ctypes
from etl_framework import hookimpl

class Check:
    name = "meddler"
    def update(self, block):
        ctypes.memset(block.batch["price"].buffers()[1].address, 0, 8)
    def merge(self, other): pass
    def finish(self): return ()

@hookimpl
def etl_validate(job): yield Check()
"""


@pytest.mark.parametrize("executor", ["threads:1", "processes:1"])
def test_a_check_that_changes_its_batch_is_named_and_nothing_is_loaded(folder: Path, executor: str) -> None:
    write_plugin(MUTATING)
    workspace = Workspace.open()
    with pytest.raises(HookFailed, match=r"plugin 'aaa_team' .* 'meddler' changed the batch that it was to look at"):
        workspace.load(workspace.job("sales", (), {"executor": executor}))
    assert rows_in_table() in (None, 0)


def test_what_a_check_changes_after_the_first_block_is_not_what_is_loaded(folder: Path) -> None:
    write_plugin(
        MUTATING.replace("def update(self, block):", "seen = 0\n    def update(self, block):").replace(
            "        ctypes", "        self.seen += 1\n        if self.seen > 1: ctypes"
        )
    )
    workspace = Workspace.open()
    job = workspace.job("sales", (), {"block_size": "4KiB"})
    assert workspace.load(job).reconciled
    with duckdb.connect("w.duckdb", read_only=True) as connection:
        wrong = "SELECT count(*) FROM sales WHERE price <> id + 0.5"
        assert connection.execute(wrong).fetchall() == [(0,)]


@pytest.mark.parametrize("executor", ["threads:2", "processes:1"])
def test_nobody_gets_to_write_into_a_batch(folder: Path, executor: str) -> None:
    write_plugin(
        MUTATING.replace("import ctypes", "import numpy").replace(
            'ctypes.memset(block.batch["price"].buffers()[1].address, 0, 8)',
            "numpy.frombuffer(block.batch['price'].buffers()[1], numpy.float64)[0] = 0",
        )
    )
    workspace = Workspace.open()
    with pytest.raises(HookFailed, match=r"plugin 'aaa_team' .* read-only"):
        workspace.load(workspace.job("sales", (), {"executor": executor}))
    assert rows_in_table() in (None, 0)


@pytest.mark.parametrize("executor", ["threads:2", "processes:1"])
@pytest.mark.parametrize("error", ["Exception", "ValueError"], ids=["all errors are passed over", "only its own are"])
def test_a_check_that_does_not_come_back_is_named_and_nothing_is_loaded(
    folder: Path, executor: str, error: str
) -> None:
    endless = f"""def update(self, block):
        while True:
            try:
                sum(range(1000))
            except {error}:
                pass"""
    write_plugin(CHECK.replace("def update(self, block): pass", endless))
    workspace = Workspace.open()
    with pytest.raises(
        HookFailed, match=r"plugin 'aaa_team' .* 'late' took more than 1 s for one block; .*check_timeout"
    ):
        workspace.load(workspace.job("sales", (), {"executor": executor, "check_timeout": 1}))
    assert rows_in_table() in (None, 0)
    write_plugin(CHECK)
    report = Workspace.open().resume()
    assert report is not None
    assert report.reconciled


def test_a_slow_check_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl_framework.verdict.SLOW_SECONDS", 0.0)
    write_plugin(CHECK.replace("def update(self, block): pass", "def update(self, block): sum(range(3_000_000))"))
    workspace = Workspace.open()
    report = workspace.load(workspace.job("sales", (), {}))
    (finding,) = [finding for finding in report.findings if finding.rule == "slow_checks"]
    assert finding.message.startswith("the checks of plugin 'aaa_team' took ")
    assert report.reconciled
