"""What each mode leaves in the table, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
import pytest

from etl_framework import (
    Event,
    ExitCode,
    InputError,
    Interrupted,
    Locked,
    Refused,
    RunFailed,
    RunReport,
    SourceChanged,
    Status,
    UsageError,
    analyze,
    load,
    resume,
    validate,
)
from etl_framework.journal import Journal
from etl_framework.state import State

HEADER = "day,id,amount\n"
Load = Callable[..., RunReport]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load files of the test's folder into its warehouse."""
    monkeypatch.chdir(tmp_path)

    def run(*files: str, **options: object) -> RunReport:
        return load(*files, **{"target": "duckdb:w.duckdb", "table": "t", **options})

    return run


def rows(statement: str = "SELECT * FROM t ORDER BY ALL") -> list[tuple[object, ...]]:
    with duckdb.connect("w.duckdb", read_only=True) as connection:
        return connection.execute(statement).fetchall()


def write(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


def january(*amounts: int, start: int = 1) -> str:
    return HEADER + "".join(f"2024-01-{day:02},{day},{amount}\n" for day, amount in enumerate(amounts, start))


def interrupt_before_the_load(event: Event) -> None:
    """As Ctrl-C at that instant."""
    if (event.name, event.step) == ("step_started", "load"):
        raise KeyboardInterrupt


def test_append_adds_to_what_is_there(run: Load) -> None:
    run(write("a.csv", january(10, 20)))
    run(write("b.csv", january(30, start=3)))
    assert rows("SELECT id, amount FROM t ORDER BY id") == [(1, 10), (2, 20), (3, 30)]


def test_appending_the_same_source_again_is_refused_unless_meant(run: Load) -> None:
    write("a.csv", january(10, 20))
    run("a.csv")
    with pytest.raises(Refused, match=r"already holds a\.csv") as refusal:
        run("a.csv")
    assert refusal.value.exit_code is ExitCode.REFUSED
    assert "--again" in refusal.value.advice
    assert len(rows()) == 2
    run("a.csv", again=True)
    assert len(rows()) == 4


def test_appending_a_period_again_is_refused_unless_meant_whatever_its_files_hold_now(run: Load) -> None:
    Path("etl.toml").write_text(
        '[defaults]\ntarget = "duckdb:w.duckdb"\ntable = "t"\n'
        '[jobs.a]\nsource = "a_{month}.csv"\n[jobs.b]\nsource = "b_{month}.csv"\n[jobs.c]\nsource = "c.csv"\n'
    )
    for number, name in enumerate(("a_2024-01", "a_2024-02", "b_2024-01", "c"), start=1):
        write(f"{name}.csv", january(number))
    for job, period in (("a", "2024-01"), ("a", "2024-02"), ("b", "2024-01"), ("c", "2024-01")):
        load(job=job, period=period)
    write("a_2024-01.csv", january(5))
    write("c.csv", january(6))
    # Its period does not choose what it loads.
    load(job="c", period="2024-01")
    for period in ("2024-01", "2024-01-10..2024-01-20"):
        with pytest.raises(Refused, match=r"t already holds 2024-01 of job a: loaded by run") as refusal:
            load(job="a", period=period)
        assert "--again" in refusal.value.advice
    load(job="a", period="2024-01", again=True)
    assert load(job="a", period="2024-01", mode="replace").rows_loaded == 1


def test_replace_leaves_only_the_new_rows(run: Load) -> None:
    run(write("a.csv", january(10, 20)))
    report = run(write("b.csv", january(30, start=9)), mode="replace")
    assert rows("SELECT id FROM t") == [(9,)]
    assert report.rows_deleted == 2


def test_replacing_a_period_twice_leaves_it_once(run: Load) -> None:
    run(write("before.csv", HEADER + "2023-12-31,0,1\n"))
    write("a.csv", january(10, 20, 30))
    for _ in range(2):
        report = run("a.csv", mode="replace-period", date_column="day", period="2024-01")
    assert rows("SELECT id FROM t ORDER BY id") == [(0,), (1,), (2,), (3,)]
    assert report.rows_deleted == 3


def test_a_row_outside_of_the_replaced_period_is_refused(run: Load) -> None:
    write("a.csv", january(10) + "2024-02-01,99,5\n")
    with pytest.raises(Refused, match="spans 2024-01-01 to 2024-02-01"):
        run("a.csv", mode="replace-period", date_column="day", period="2024-01")
    assert not Path("w.duckdb").exists() or not rows("SELECT * FROM duckdb_tables() WHERE table_name = 't'")


def test_an_empty_source_never_replaces_anything(run: Load) -> None:
    run(write("a.csv", january(10)))
    columns = {"day": "date", "id": "bigint", "amount": "bigint"}
    for mode in ("replace", "replace-period"):
        with pytest.raises(Refused, match="no rows"):
            run(write("b.csv", HEADER), mode=mode, date_column="day", period="2024-01", columns=columns)
    assert len(rows()) == 1


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
@pytest.mark.parametrize("texts", [[HEADER], [HEADER, ""], [HEADER, HEADER]])
def test_sources_that_hold_no_rows_at_all_are_refused_and_make_no_table(run: Load, mode: str, texts: list[str]) -> None:
    names = [write(f"{number}.csv", text) for number, text in enumerate(texts)]
    with pytest.raises(Refused, match="hold no rows") as caught:
        run(*names, mode=mode, keys=["id"])
    [one] = [finding for finding in caught.value.findings if finding.severity == "error"]
    assert (one.rule, [Path(sample.file).name for sample in one.samples]) == ("no_rows", names)
    assert not Path("w.duckdb").exists() or not rows("SELECT * FROM duckdb_tables() WHERE table_name = 't'")


@pytest.mark.parametrize("empty", [HEADER, "", "\n"])
@pytest.mark.parametrize("name", ["0.csv", "z.csv"])
def test_a_file_without_rows_among_others_is_loaded_with_a_warning(run: Load, empty: str, name: str) -> None:
    report = run(write(name, empty), write("a.csv", january(10)))
    [told] = [finding for finding in report.findings if finding.rule == "empty_source"]
    assert (told.severity, Path(told.samples[0].file).name) == ("warning", name)
    assert rows("SELECT DISTINCT typeof(day), typeof(id) FROM t") == [("DATE", "BIGINT")]


def test_merge_updates_rows_of_the_same_keys_and_adds_the_others(run: Load) -> None:
    run(write("a.csv", january(10, 20)))
    run(write("b.csv", january(21, 31, start=2)), mode="merge", keys=["id"])
    assert rows("SELECT id, amount FROM t ORDER BY id") == [(1, 10), (2, 21), (3, 31)]


def test_rows_that_cannot_be_merged_are_told_with_their_lines(run: Load) -> None:
    path = write("b.csv", "id,day\n" + "".join(f"{'' if n % 3 == 0 else n},2024-01-01\n" for n in range(1, 100)))
    with pytest.raises(Refused, match=r"\(first: .*b\.csv:4: there is no value\)") as caught:
        run(path, mode="merge", keys=["id"], part_size="400B", columns={"id": "bigint", "day": "date"})
    assert caught.value.report is not None
    [finding] = caught.value.report.findings
    assert (finding.rule, finding.count) == ("null_key", 33)
    assert [(sample.line, sample.column) for sample in finding.samples] == [(n, "id") for n in range(4, 34, 3)]


def test_rows_that_share_a_key_are_told_by_the_command_that_the_refusal_names(run: Load) -> None:
    with pytest.raises(Refused, match=r"share a key \(id\): 7 in 2 rows") as caught:
        run(write("b.csv", "id,day\n7,2024-01-01\n7,2024-01-02\n"), mode="merge", keys=["id"])
    assert "duplicates FILE --keys id`" in caught.value.advice


def test_a_schema_that_does_not_match_is_refused_with_the_differences(run: Load) -> None:
    run(write("a.csv", january(10)))
    with pytest.raises(Refused, match="price"):
        run(write("b.csv", "day,id,price\n2024-01-01,1,5\n"))
    assert len(rows()) == 1


def test_inferred_columns_take_the_types_of_the_table(run: Load) -> None:
    run(write("a.csv", "code,n\nx1,1.5\n"))
    # By themselves, these would be inferred as numbers.
    run(write("b.csv", "code,n\n1,2\n"))
    assert rows() == [("1", 2.0), ("x1", 1.5)]


def test_a_value_that_no_sample_showed_widens_the_inferred_type(run: Load) -> None:
    lines = [f"{number},{number}" for number in range(2_000_000)]
    lines[1_094_321] = "1094321,not a number"
    write("a.csv", "id,v\n" + "\n".join(lines) + "\n")
    [analysis] = analyze("a.csv")
    assert str(analysis.columns[1].type) == "bigint", "a sample shows the value: put it elsewhere"
    report = run("a.csv", part_size="4MiB")
    assert rows("SELECT count(*), count(v) FROM t") == [(2_000_000, 2_000_000)]
    assert rows("SELECT v FROM t WHERE id = 1094321") == [("not a number",)]
    # Parts that were staged before the surprise hold what the file holds, too.
    assert rows("SELECT v FROM t WHERE id = 7") == [("7",)]
    assert any("not a number" in str(finding) for finding in report.findings)


def test_bad_rows_are_refused_with_file_line_and_reason(run: Load) -> None:
    write("a.csv", january(10, 20) + "2024-01-03,3\n")
    with pytest.raises(Refused, match=r"a\.csv:4") as refusal:
        run("a.csv")
    report = refusal.value.report
    assert report is not None
    assert report.status is Status.REFUSED
    [finding] = [finding for finding in report.findings if finding.rule == "too_few_fields"]
    assert (finding.count, finding.samples[0].line) == (1, 4)
    assert not Path("w.duckdb").exists() or not rows("SELECT * FROM duckdb_tables() WHERE table_name = 't'")


def test_quarantine_loads_the_good_rows_and_keeps_the_bad_ones(run: Load) -> None:
    columns = {"day": "date", "id": "bigint", "amount": "bigint"}
    write("a.csv", january(10, 20) + "2024-01-03,3\n2024-01-04,4,forty\n")
    report = run("a.csv", on_bad_rows="quarantine", columns=columns)
    assert report.rows_loaded == 2
    assert report.rows_quarantined == 2
    data, reasons = map(Path, report.rejects)
    assert data.read_text() == "2024-01-03,3\n2024-01-04,4,forty\n"
    assert [line.count('"line": 4') + line.count('"line": 5') for line in reasons.read_text().splitlines()] == [1, 1]


def test_lines_of_bad_rows_are_those_of_the_file_in_every_part(run: Load) -> None:
    columns = {"id": "bigint", "text": "varchar"}
    lines = [f'{number},"{"x" * 90}"' for number in range(600_000)]
    bad = [7, 299_999, 599_998]
    for number in bad:
        lines[number] = "oops,x"
    write("a.csv", "id,text\n" + "\n".join(lines) + "\n")
    report = run("a.csv", on_bad_rows="quarantine", columns=columns)
    assert report.parts > 1
    [finding] = [finding for finding in report.findings if finding.rule == "wrong_type"]
    assert [sample.line for sample in finding.samples] == [number + 2 for number in bad]


def test_more_bad_rows_than_allowed_are_refused(run: Load) -> None:
    write("a.csv", january(1, 2, 3) + "x\ny\n")
    with pytest.raises(Refused, match="at most 1 may be quarantined"):
        run("a.csv", on_bad_rows="quarantine", max_bad_rows=1)
    report = run("a.csv", on_bad_rows="quarantine", max_bad_rows="40%")
    assert (report.rows_loaded, report.rows_quarantined) == (3, 2)


def test_a_file_of_nothing_but_bad_rows_is_refused_even_in_quarantine(run: Load) -> None:
    columns = {"day": "date", "id": "bigint", "amount": "bigint"}
    with pytest.raises(Refused, match="all 2 rows are bad"):
        run(write("a.csv", HEADER + "x,y,z\nu,v,w\n"), on_bad_rows="quarantine", columns=columns)
    with pytest.raises(Refused, match="the only row is bad") as caught:
        run(write("a.csv", HEADER + "x,y,z\n"), on_bad_rows="quarantine", columns=columns)
    assert "no rows" not in str(caught.value)
    assert caught.value.report is not None
    assert "no_rows" not in [finding.rule for finding in caught.value.report.findings]


def test_before_upload_stages_nothing_that_is_refused(run: Load) -> None:
    columns = {"day": "date", "id": "bigint", "amount": "bigint"}
    write("a.csv", january(1, 2) + "bad,bad,bad\n")
    with pytest.raises(Refused):
        run("a.csv", gate="before-upload", columns=columns)
    assert run(write("b.csv", january(1, 2)), gate="before-upload").rows_loaded == 2


def test_a_refused_run_leaves_nothing_staged(run: Load) -> None:
    columns = {"day": "date", "id": "bigint", "amount": "bigint"}
    with pytest.raises(Refused):
        run(write("a.csv", january(1, 2) + "bad,bad,bad\n"), columns=columns)
    assert [path for path in Path(".etl/runs").rglob("*.arrow*") if path.is_file()] == []


def test_the_input_folder_is_never_touched(run: Load) -> None:
    folder = Path("in")
    folder.mkdir()
    (folder / "a.csv").write_text(january(1, 2))
    (folder / "a.csv.gz.bak").write_bytes(b"stale")
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    run("in/a.csv")
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before


def test_a_second_run_of_a_job_is_locked_out(run: Load, tmp_path: Path) -> None:
    write("a.csv", january(1))
    target = f"duckdb:{tmp_path}/w.duckdb"
    with State(tmp_path / ".etl").lock("t", target), pytest.raises(Locked) as refusal:
        run("a.csv", target=target)
    assert refusal.value.exit_code is ExitCode.LOCKED


def test_a_source_that_changes_during_the_run_is_refused(run: Load) -> None:
    path = Path(write("a.csv", january(*range(1, 29))))

    def meddle(event: Event) -> None:
        if event.name == "part_packed":
            with path.open("a") as file:
                file.write("2024-01-30,30,1\n")

    with pytest.raises(SourceChanged, match=r"a\.csv"):
        run("a.csv", observers=(meddle,))
    assert not Path("w.duckdb").exists() or not rows("SELECT * FROM duckdb_tables() WHERE table_name = 't'")


def test_ctrl_c_leaves_a_run_that_resume_finishes(run: Load) -> None:
    write("a.csv", january(*range(1, 29)))

    with pytest.raises(Interrupted) as stopped:
        run("a.csv", observers=(interrupt_before_the_load,))
    assert stopped.value.exit_code is ExitCode.INTERRUPTED
    assert "etl resume" in stopped.value.advice
    report = resume()
    assert report is not None
    assert (report.status, report.rows_loaded, report.attempts) == (Status.DONE, 28, 2)
    assert resume() is None


def test_a_source_that_changed_before_the_resume_is_refused(run: Load) -> None:
    path = Path(write("a.csv", january(1, 2, 3)))

    with pytest.raises(Interrupted):
        run("a.csv", observers=(interrupt_before_the_load,))
    path.write_text(january(1, 2, 4))
    with pytest.raises(SourceChanged):
        resume()


def test_a_new_run_takes_the_place_of_an_interrupted_one(run: Load) -> None:
    write("a.csv", january(1, 2, 3))

    with pytest.raises(Interrupted):
        run("a.csv", observers=(interrupt_before_the_load,))
    run("a.csv")
    assert len(rows()) == 3
    assert resume() is None
    assert len(rows()) == 3


def test_a_journal_that_cannot_be_read_does_not_end_another_run(run: Load) -> None:
    write("a.csv", january(1, 2, 3))
    with pytest.raises(Interrupted) as stopped:
        run("a.csv", observers=(interrupt_before_the_load,))
    assert stopped.value.report is not None
    interrupted, plan = stopped.value.report.run, Journal.plan

    def fails_for_the_other(journal: Journal, name: str) -> object:
        if name == interrupted:
            raise RunFailed("cannot use the journal: disk I/O error")
        return plan(journal, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "plan", fails_for_the_other)
        with pytest.raises(RunFailed, match="disk I/O error"):
            run("a.csv")
    report = resume(interrupted)
    assert report is not None
    assert len(rows()) == 3


def test_one_dataset_in_two_formats_is_an_error_that_lists_them(run: Load) -> None:
    write("x.csv", january(1))
    write("x.tsv", january(1).replace(",", "\t"))
    with pytest.raises(UsageError, match=r"x\.csv[\s\S]*x\.tsv|x\.tsv[\s\S]*x\.csv"):
        run("x.*")


def test_several_files_are_one_load(run: Load) -> None:
    for month in (1, 2):
        write(f"s-{month}.csv", HEADER + f"2024-{month:02}-01,{month},1\n")
    report = run("s-*.csv")
    assert (report.rows_loaded, len(report.sources)) == (2, 2)


def test_files_of_different_structure_are_refused(run: Load) -> None:
    write("s-1.csv", january(1))
    write("s-2.csv", "day,other\n2024-01-01,1\n")
    with pytest.raises(Refused, match="other columns"):
        run("s-*.csv")


def test_validate_reads_everything_and_loads_nothing(run: Load) -> None:
    write("a.csv", january(1, 2) + "2024-01-03,3\n")
    validation = validate("a.csv")
    assert (validation.rows, validation.bad_rows, validation.passed) == (2, 1, False)
    assert not Path("w.duckdb").exists()
    assert not Path(".etl").exists()


def test_an_unreadable_file_is_a_clear_error(
    run: Load,
    public_folder: Path,
    unprivileged: Callable[[], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(public_folder))
    monkeypatch.chdir(public_folder)
    run(write("a.csv", january(1)))
    Path(write("b.csv", january(2))).chmod(0)
    with unprivileged(), pytest.raises(InputError, match=r"cannot read .*b\.csv: Permission denied") as caught:
        run("a.csv", "b.csv")
    assert "permissions" in caught.value.advice
    assert len(rows()) == 1


def test_the_report_of_a_load_refused_for_its_files_holds_all_that_differ(run: Load) -> None:
    usual = [write(f"usual{number}.csv", january(1)) for number in range(3)]
    others = [write(f"other{number}.csv", "day,id\n2024-01-01,1\n") for number in range(2)]
    with pytest.raises(Refused) as caught:
        run(*others, *usual)
    assert "2 files have other columns than usual0.csv: other0.csv (missing: amount), other1" in caught.value.message
    assert caught.value.report
    (finding,) = caught.value.report.findings
    assert [Path(sample.file or "").name for sample in finding.samples] == others


def test_what_a_refused_bare_file_is_advised_to_configure_makes_it_load(run: Load) -> None:
    file = write("a.csv", "# made by hand\n" + january(7, 8, 9))
    with pytest.raises(Refused) as caught:
        run(file)
    assert "Set skip_lines = 1 in [defaults.format] of etl.toml" in caught.value.advice
    write("etl.toml", "[defaults.format]\nskip_lines = 1\n")
    assert run(file).rows_loaded == 3
