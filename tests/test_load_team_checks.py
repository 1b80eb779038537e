"""A team's own checks, in a file or in a package: what they find, whatever runs the parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from etl_framework import Event, Interrupted, Refused, Workspace, load, resume, validate

if TYPE_CHECKING:
    from conftest import FakePlugins
    from etl_framework import Finding

CHECKS = '''
"""Settlements balance, have a currency that is settled, and each isin has one currency."""

import pyarrow as pa
import pyarrow.compute as pc

from etl_framework import hookimpl, key_check, row_check, total_check

SETTLED = pa.array(["EUR", "USD"])


@hookimpl
def etl_validate(job, analysis):
    yield row_check("settled", lambda batch: pc.is_in(batch["currency"], SETTLED), column="currency")
    sides = {"debit": ("debit", "sum"), "credit": ("credit", "sum")}
    yield total_check("balanced", sides, lambda total: total["debit"] == total["credit"])
    ends = {"first": ("currency", "min"), "last": ("currency", "max")}
    yield key_check("one_currency", "isin", ends, lambda isin: pc.equal(isin["first"], isin["last"]))
'''
BALANCED = [f"I{number % 50:02},EUR,{number},{number}\n" for number in range(400)]
HEADER = "isin,currency,debit,credit\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "team_checks.py").write_text(CHECKS)
    (tmp_path / "etl.toml").write_text('plugins = ["checks/team_checks.py"]\n')
    return tmp_path


def write(folder: Path, records: list[str]) -> None:
    (folder / "trades.csv").write_text(HEADER + "".join(records))


def row_at(place: str, executor: str) -> int:
    """The number of a row of what was written, as the plan cuts it."""
    workspace = Workspace.open()
    parts = workspace.plan(workspace.job(None, ["trades.csv"], {"executor": executor, "part_size": "1KiB"})).parts
    assert len(parts) > 3
    text = Path("trades.csv").read_bytes()
    start = text[: parts[len(parts) // 2].start].count(b"\n") - 1
    return {"first": 0, "end": start - 1, "start": start, "last": text.count(b"\n") - 2}[place]


def found(findings: tuple[Finding, ...]) -> list[tuple[str, int, list[tuple[int | None, str | None]]]]:
    return [(f.rule, f.count, [(sample.line, sample.value) for sample in f.samples]) for f in findings]


@pytest.mark.parametrize("executor", ["threads:2", "processes:2"])
def test_what_is_good_loads(folder: Path, executor: str) -> None:
    write(folder, BALANCED)
    report = load("trades.csv", executor=executor, part_size="1KiB")
    assert (report.rows_loaded, report.parts > 3, report.findings) == (400, True, ())


@pytest.mark.parametrize("executor", ["threads:2", "processes:2"])
@pytest.mark.parametrize("place", ["first", "end", "start", "last"])
def test_a_defect_is_found_where_it_is_and_nothing_else(folder: Path, executor: str, place: str) -> None:
    write(folder, [*BALANCED, BALANCED[0]])
    at = row_at(place, executor)
    write(folder, [*BALANCED[:at], "I07,GBP,12,11\n", *BALANCED[at:]])
    assert row_at(place, executor) == at
    with pytest.raises(Refused) as caught:
        load("trades.csv", executor=executor, part_size="1KiB")
    assert caught.value.report
    line = at + 2
    first = min(line, 9)
    assert found(caught.value.report.findings) == [
        ("settled", 1, [(line, "GBP")]),
        ("balanced", 1, []),
        ("one_currency", 1, [(first, "I07")]),
    ]
    total = sum(range(400))
    assert caught.value.report.findings[1].message.endswith(f"debit = {total + 12:,}, credit = {total + 11:,}")


def test_a_package_brings_the_same_checks(folder: Path, fake_plugins: FakePlugins) -> None:
    (folder / "etl.toml").unlink()
    fake_plugins("acme-checks", settlements=CHECKS)
    # The fake plugins are the only ones: what reads files and runs parts is to be there, too.
    fake_plugins(reading="from etl_delimited import *", running="from etl_framework.executors import *")
    write(folder, [*BALANCED, "I07,GBP,12,11\n"])
    assert [finding.rule for finding in validate("trades.csv").findings] == ["settled", "balanced", "one_currency"]


def test_lines_are_those_of_an_editor_where_records_have_several(folder: Path) -> None:
    write(folder, ['"I\n1",EUR,1,1\n', "\n", "I2,EUR,1,1\n", "I3,EUR,1,1\n", "I3,USD,1,1\n"])
    (finding,) = validate("trades.csv").findings
    assert found((finding,)) == [("one_currency", 1, [(6, "I3")])]


def test_a_run_that_was_interrupted_finds_what_an_undisturbed_one_finds(folder: Path) -> None:
    write(folder, [*BALANCED[:50], "I07,GBP,12,11\n", *BALANCED[50:]])
    undisturbed = validate("trades.csv").findings
    packed = []

    def interrupt(event: Event) -> None:
        if event.name == "part_packed":
            packed.append(event)
            if len(packed) == 3:
                raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        load("trades.csv", part_size="1KiB", observers=(interrupt,))
    with pytest.raises(Refused) as caught:
        resume()
    assert caught.value.report
    assert (caught.value.report.attempts, caught.value.report.findings) == (2, undisturbed)
