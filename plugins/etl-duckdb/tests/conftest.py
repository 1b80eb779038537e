"""A warehouse in a temporary folder, and runs whose staged parts are made as the core makes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import etl_duckdb
import pyarrow as pa
import pytest
import xxhash
from etl_duckdb.warehouse import DuckDBWarehouse

from etl_framework import (
    Column,
    ColumnType,
    Job,
    Mode,
    PackedPart,
    Receipt,
    Run,
    Source,
    StagedPart,
    TableName,
    TotalsAccumulator,
)


class Plain:
    """The codec that does nothing."""

    name = "none"
    suffix = ""

    def compressor(self) -> Any:
        raise NotImplementedError

    def reader(self, raw: Any) -> Any:
        return raw


def columns_of(**types: str) -> tuple[Column, ...]:
    """Columns from names and types; a type that ends in ``!`` is required."""
    return tuple(
        Column(name=name, type=ColumnType.parse(text.rstrip("!")), required=text.endswith("!"), declared=True)
        for name, text in types.items()
    )


def batch_of(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """A typed batch of rows."""
    arrays = [pa.array([row[at] for row in rows], column.type.arrow()) for at, column in enumerate(columns)]
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])


def source_of(number: int) -> Source:
    digest = f"{number:032x}"
    return Source(path=f"/data/{number}.csv", size=1, modified_ns=0, changed_ns=0, inode=number, digest=digest)


@dataclasses.dataclass
class Bench:
    """A warehouse and what it takes to load into it.

    :ivar folder: of the database and of the runs.
    """

    folder: Path
    numbers: Iterator[int] = dataclasses.field(default_factory=count)
    opened: list[DuckDBWarehouse] = dataclasses.field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.folder / "w.duckdb"

    def connect(self, options: str = "") -> DuckDBWarehouse:
        warehouse = etl_duckdb.etl_connect(f"duckdb:{self.path}{options}")
        assert isinstance(warehouse, DuckDBWarehouse)
        self.opened.append(warehouse)
        return warehouse

    def run(self, columns: Sequence[Column], table: str = "t", mode: str = "append", **job: Any) -> Run:
        """A new run with no rows yet."""
        number = next(self.numbers)
        return Run(
            id=f"run-{number:04}",
            job=Job(
                name="job", patterns=("*.csv",), table=TableName.parse(table), target="duckdb:w", mode=Mode(mode), **job
            ),
            sources=(source_of(number),),
            columns=tuple(columns),
            folder=self.folder / f"run-{number:04}",
            codec=Plain(),
            emit=lambda _: None,
        )

    def pack(self, run: Run, number: int, batches: Sequence[pa.RecordBatch]) -> PackedPart:
        """A packed part in the run's spool folder."""
        path = run.folder / "spool" / f"{number:06}.arrow"
        path.parent.mkdir(parents=True, exist_ok=True)
        schema = pa.schema([(column.name, column.type.arrow()) for column in run.columns])
        with path.open("wb") as file:
            compressor = None if run.codec.name == "none" else run.codec.compressor()
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, schema) as writer:
                for batch in batches:
                    writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
            data = sink.getvalue().to_pybytes()
            file.write(data if compressor is None else compressor.feed(data) + compressor.finish())
        data = path.read_bytes()
        return PackedPart(
            part=number,
            piece=0,
            path=path,
            name=path.name,
            size=len(data),
            digest=xxhash.xxh3_128_hexdigest(data),
            rows=sum(batch.num_rows for batch in batches),
        )

    def stage(self, warehouse: DuckDBWarehouse, run: Run, *parts: Sequence[pa.RecordBatch]) -> tuple[StagedPart, ...]:
        """Stage parts, each of some batches."""
        staged = [
            etl_duckdb.etl_upload(self.pack(run, number, part), warehouse, run) for number, part in enumerate(parts)
        ]
        return tuple(part for part in staged if part is not None)

    def with_totals(self, run: Run, batches: Sequence[pa.RecordBatch]) -> Run:
        """The run with the control totals of its rows."""
        totals = TotalsAccumulator(run.columns)
        for batch in batches:
            totals.update(batch)
        return dataclasses.replace(run, totals=totals.finish())

    def load(
        self,
        columns: Sequence[Column],
        rows: Sequence[Sequence[Any]],
        *,
        warehouse: DuckDBWarehouse | None = None,
        **job: Any,
    ) -> Receipt:
        """Stage and load rows as one run, in two parts."""
        warehouse = warehouse or self.opened[-1]
        half = len(rows) // 2
        batches = [batch_of(columns, rows[:half]), batch_of(columns, rows[half:])]
        run = self.with_totals(self.run(columns, **job), batches)
        receipt = etl_duckdb.etl_load(self.stage(warehouse, run, *([batch] for batch in batches)), warehouse, run)
        assert receipt is not None
        return receipt

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """What the database says, over a connection of its own."""
        import duckdb

        with duckdb.connect(str(self.path)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A folder for a database and its runs; what is left open is closed."""
    bench = Bench(tmp_path)
    yield bench
    for warehouse in bench.opened:
        warehouse.close()


@pytest.fixture
def columns() -> Callable[..., tuple[Column, ...]]:
    """Makes columns from names and types."""
    return columns_of


@pytest.fixture
def batch() -> Callable[..., pa.RecordBatch]:
    """Makes a typed batch from columns and rows."""
    return batch_of
