"""Checks that keep more than memory should hold: their files last as long as the run, and no longer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from etl_framework import Event, Interrupted, Refused, Status, Workspace, load, resume, validate

ROWS = 6_000
PLUGIN = '''
"""Prices, kept in files, of which none may be there twice."""

from pathlib import Path

from etl_framework import Finding, Severity, hookimpl


class Prices:
    name = "twice"

    def __init__(self):
        self.paths, self.sizes, self.file = [], [], None

    def spill_to(self, folder):
        assert not list(folder.iterdir()), "the folder is this accumulator's alone"
        self.file = (folder / "prices").open("w")

    def update(self, block):
        self.file.writelines(f"{price}\\n" for price in block.batch["price"].to_pylist())

    def settle(self):
        self.file.close()
        self.paths, self.sizes, self.file = [Path(self.file.name)], [Path(self.file.name).stat().st_size], None

    def is_whole(self):
        return all(p.exists() and p.stat().st_size == size for p, size in zip(self.paths, self.sizes))

    def merge(self, other):
        self.paths += other.paths
        self.sizes += other.sizes

    def finish(self):
        prices = [price for path in self.paths for price in path.read_text().splitlines()]
        if extra := len(prices) - len(set(prices)):
            yield Finding(
                rule=self.name, severity=Severity.ERROR, count=extra, message=f"{extra} of {len(prices)} twice"
            )


@hookimpl
def etl_validate(job, analysis):
    yield Prices()
'''


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job of several parts whose prices are all different."""
    monkeypatch.chdir(tmp_path)
    Path("team.py").write_text(PLUGIN)
    Path("etl.toml").write_text(
        'plugins = ["team.py"]\n[jobs.sales]\nsource = "sales.csv"\ntable = "sales"\ntarget = "duckdb:w.duckdb"\n'
        'columns = { id = "bigint", price = "bigint" }\nexecutor = "threads:2"\npart_size = "16KiB"\n'
        'block_size = "4KiB"\n'
    )
    write(range(ROWS))
    return tmp_path


def write(prices: range | list[int]) -> None:
    Path("sales.csv").write_text("id,price\n" + "".join(f"{number},{price}\n" for number, price in enumerate(prices)))


def spilled() -> list[Path]:
    return sorted(Path(".etl").rglob("prices"))


@pytest.mark.parametrize("executor", ["threads:2", "processes:2"])
def test_what_one_part_spilled_is_weighed_with_what_the_others_did_and_then_removed(executor: str) -> None:
    report = load(job="sales", executor=executor)
    assert (report.parts > 2, report.findings, spilled()) == (True, (), [])
    write([*range(ROWS), 0, ROWS - 1])
    with pytest.raises(Refused, match=f"2 of {ROWS + 2} twice"):
        load(job="sales", executor=executor)
    assert spilled() == []


def test_validating_alone_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    write([*range(ROWS), 7])
    found = validate(job="sales")
    assert [finding.count for finding in found.findings] == [1]
    assert found.checks == ("twice",)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_validating_checks_files_also_where_a_load_checks_in_the_warehouse() -> None:
    write([*range(ROWS), 7])
    found = validate(job="sales", check="warehouse")
    assert [finding.rule for finding in found.findings] == ["twice"]
    assert validate(job="sales", check="none").checks == ()


def stop_after(parts: int) -> None:
    """Stop a run once so many parts are read."""
    packed: list[Event] = []

    def stop(event: Event) -> None:
        if event.name == "part_packed":
            packed.append(event)
        if len(packed) > parts:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        Workspace.open().load(Workspace.open().job("sales", (), {"executor": "threads:1"}), observers=(stop,))


def test_a_resumed_run_knows_what_was_spilled_before_it_was_stopped() -> None:
    write([*range(ROWS), 0])
    stop_after(2)
    assert len(spilled()) >= 2
    with pytest.raises(Refused, match=f"1 of {ROWS + 1} twice"):
        resume()


@pytest.mark.parametrize("harm", [os.unlink, lambda path: os.truncate(path, 10)], ids=["removed", "cut short"])
def test_parts_whose_files_are_harmed_are_read_again(harm: object) -> None:
    write([*range(ROWS), 0])
    stop_after(2)
    harm(spilled()[0])  # type: ignore[operator]
    with pytest.raises(Refused, match=f"1 of {ROWS + 1} twice"):
        resume()


def test_a_resumed_run_without_fault_ends_well() -> None:
    stop_after(3)
    report = resume()
    assert report is not None
    assert (report.status, report.rows_loaded, spilled()) == (Status.DONE, ROWS, [])
