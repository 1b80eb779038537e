"""The same data asked on every side: as a file, as a table of DuckDB, as a table of an emulated Snowflake."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from etl_framework import Check, Column, Finding, Job, Plugins, Rows, TableName, Validator, Workspace
from etl_framework.testing import Cutting, LiteralRows
from etl_framework.testing.checking import in_one_pass, observe

TABLE = TableName(("t",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A file as text, and what a job says of it.

    :param text: of the file, with its header.
    :param columns: name to type, as in ``etl.toml``.
    :param sections: ``checks``, ``rules``.
    :param settings: other keys of the job.
    """

    text: str
    columns: Mapping[str, str]
    sections: Mapping[str, Any]
    settings: Mapping[str, Any]


class Side:
    """Where data are checked; told by the URL of a warehouse."""

    def __init__(self, folder: Path, target: str) -> None:
        self.target = target
        self.folder = folder
        self.workspace = Workspace.open(state_dir=folder / "state")

    def job(self, data: Data, *, part_bytes: int | None = None) -> Job:
        """The job of some data."""
        path = self.folder / "t.csv"
        path.write_text(data.text)
        given = {"target": self.target, "table": "t", "columns": dict(data.columns), **data.settings}
        job = self.workspace.job(None, [path], given)
        return replace(
            job, sections={**job.sections, **data.sections}, folder=self.folder, part_bytes=part_bytes or job.part_bytes
        )

    def of_file(self, data: Data, *, part_bytes: int | None = None) -> tuple[Finding, ...]:
        """The findings of `etl validate`."""
        return self.workspace.validate(self.job(data, part_bytes=part_bytes)).findings

    def row_at(self, place: str, data: Data, *, part_bytes: int) -> int:
        """The number of a row where a defect is easily missed, as the plan cuts the file; each record is a line.

        :param place: "first" or "last" of the file, "end" of a part in its middle or "start" of the part behind.
        """
        parts = self.workspace.plan(self.job(data, part_bytes=part_bytes)).parts
        assert len(parts) > 2, "there is no border in the middle of the file"
        text = data.text.encode()
        start = text[: parts[len(parts) // 2].start].count(b"\n") - 1
        return {"first": 0, "end": start - 1, "start": start, "last": text.count(b"\n") - 2}[place]

    def load(self, data: Data) -> Job:
        """Load without any check, in place of what was there."""
        job = self.job(data)
        self.workspace.load(replace(job, check=Check.NONE, again=True))
        return job

    def of_table(self, data: Data) -> tuple[Finding, ...]:
        """The findings of `etl check`."""
        return self.workspace.check(self.load(data)).findings

    def rows(self, data: Data, ask: Callable[[Rows, Job], Any]) -> Any:
        """Load, and ask about the rows."""
        job = self.load(data)
        plugins: Plugins = self.workspace.plugins()
        with closing(plugins.connect(self.target)) as warehouse:
            return ask(warehouse.rows(TABLE), job)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The findings of each side."""

    file: tuple[Finding, ...]
    duckdb: tuple[Finding, ...]
    snowflake: tuple[Finding, ...]

    @property
    def sides(self) -> dict[str, tuple[Finding, ...]]:
        """By name."""
        return {"file": self.file, "duckdb": self.duckdb, "snowflake": self.snowflake}

    def agree(self) -> tuple[Finding, ...]:
        """Insist that all say the same, and give what the file says."""
        for name, found in self.sides.items():
            assert in_short(found) == in_short(self.file), name
        return self.file


def in_short(findings: tuple[Finding, ...]) -> list[tuple[str, str, int, str]]:
    """What must be the same on every side: rule, severity, count, message."""
    return sorted((found.rule, str(found.severity), found.count, found.message) for found in findings)


def data_of(text: str, columns: Mapping[str, str], sections: Mapping[str, Any], settings: Mapping[str, Any]) -> Data:
    """Data whose text was written with indentation, in a triple-quoted string, or not."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return Data(text="".join(line + "\n" for line in lines), columns=columns, sections=sections, settings=settings)


@pytest.fixture(scope="session")
def in_parts() -> Callable[..., list[Any]]:
    """`in_parts(make, rows, columns, cuts, blocks, seed)`: what new accumulators find, as rule, count, message, places.

    Parts begin at the rows `cuts` and have blocks of so many rows; they are merged in any order, each having travelled.
    Without `cuts`, the accumulators see all rows and finish themselves: nothing is merged.
    """

    def find(
        make: Callable[[], Iterable[Validator]],
        rows: Sequence[Mapping[str, Any]],
        columns: Sequence[Column],
        cuts: Iterable[int] | None = None,
        blocks: int = 100,
        seed: int = 0,
    ) -> list[Any]:
        values = {column.name: [row[column.name] for row in rows] for column in columns}
        literal = LiteralRows.of(values, {column.name: str(column.type) for column in columns})
        if cuts is None:
            found = in_one_pass(make, literal)
        else:
            borders = sorted({0, *(cut for cut in cuts if cut < len(rows)), len(rows)})
            parts = tuple(
                tuple(min(blocks, end - at) for at in range(begin, end, blocks)) for begin, end in pairwise(borders)
            ) or ((),)
            order = tuple(random.Random(seed).sample(range(len(parts)), len(parts)))
            found = observe(make, literal, Cutting(parts=parts, order=order))
        return [
            (one.rule, one.count, one.message, tuple((sample.line, sample.value) for sample in one.samples))
            for one in found
        ]

    return find


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def duckdb_side(in_folder: Path) -> Side:
    """Files, and tables of an empty DuckDB file."""
    folder = in_folder / "duckdb"
    folder.mkdir()
    return Side(folder, f"duckdb:{folder / 'w.duckdb'}")


@pytest.fixture
def snowflake_side(in_folder: Path, snowflake_emulator: Any) -> Side:
    """Files, and tables of an empty account of an emulated Snowflake."""
    snowflake_emulator.reset()
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in snowflake_emulator.connection().items())
    path = Path(os.environ["SNOWFLAKE_HOME"], "connections.toml")
    path.touch(0o600)
    path.write_text(f"[test]\n{settings}")
    folder = in_folder / "snowflake"
    folder.mkdir()
    return Side(folder, "snowflake:test")


@pytest.fixture
def data() -> Callable[..., Data]:
    """`data(text, {"n": "integer"}, checks={…}, rules=[…])`: for the methods of a `Side`."""

    def make(text: str, columns: Mapping[str, str], **sections: Any) -> Data:
        return data_of(text, columns, sections, {})

    return make


@pytest.fixture
def findings_of_file(duckdb_side: Side) -> Callable[..., tuple[Finding, ...]]:
    """`findings_of_file(text, {"n": "integer"}, checks={…}, rules=[…], part_bytes=40)`: those of the file alone."""

    def ask(
        text: str,
        columns: Mapping[str, str],
        *,
        part_bytes: int | None = None,
        settings: Mapping[str, Any] | None = None,
        **sections: Any,
    ) -> tuple[Finding, ...]:
        return duckdb_side.of_file(data_of(text, columns, sections, settings or {}), part_bytes=part_bytes)

    return ask


@pytest.fixture
def both_sides(duckdb_side: Side, snowflake_side: Side) -> Callable[..., Found]:
    """`both_sides(text, {"n": "integer"}, checks={…}, rules=[…]).agree()`: the same data asked on every side.

    Other keys of the job, such as `keys`, go into `settings`. A table of each call takes the place of the last one's.
    """

    def ask(
        text: str, columns: Mapping[str, str], *, settings: Mapping[str, Any] | None = None, **sections: Any
    ) -> Found:
        data = data_of(text, columns, sections, {"mode": "replace", **(settings or {})})
        return Found(
            file=duckdb_side.of_file(data),
            duckdb=duckdb_side.of_table(data),
            snowflake=snowflake_side.of_table(data),
        )

    return ask


@pytest.fixture
def emptied_sides(duckdb_side: Side, snowflake_side: Side, snowflake_emulator: Any) -> Callable[..., Any]:
    """`emptied_sides(text, {"n": "integer"}, checks={…})`: what each warehouse says once the rows are deleted again."""
    import duckdb
    import snowflake.connector

    def ask(
        text: str, columns: Mapping[str, str], *, settings: Mapping[str, Any] | None = None, **sections: Any
    ) -> list[tuple[Finding, ...]]:
        data = data_of(text, columns, sections, settings or {})
        jobs = [(side, side.load(data)) for side in (duckdb_side, snowflake_side)]
        with duckdb.connect(duckdb_side.folder / "w.duckdb") as table:
            table.execute("DELETE FROM t")
        # Line 5 of the driver insists on being told.
        told = "enable_server_session_keep_alive_auto_detection"
        line = {} if snowflake.connector.__version__.startswith("4.") else {told: False}
        with snowflake.connector.connect(**snowflake_emulator.connection(**line)) as connection:
            connection.cursor().execute("DELETE FROM t")
        return [side.workspace.check(job).findings for side, job in jobs]

    return ask
