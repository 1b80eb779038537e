"""Contracts find defects: each of these plugins breaks one promise, and the contract's test of it fails."""

from __future__ import annotations

import dataclasses
import zlib
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from etl_framework import Executor, Interrupted, PluginSettings, hookimpl
from etl_framework.executors import ThreadExecutor
from etl_framework.profiles import Quantile
from etl_framework.testing import (
    CodecContract,
    ExecutorContract,
    FormatContract,
    LiteralRows,
    ProfilerContract,
    WarehouseContract,
)
from etl_framework.testing.contracts.profiler import assert_alike
from etl_framework.testing.contracts.warehouse_scratch import ROWS, Scratch

BROKEN = (AssertionError, pytest.fail.Exception)


class Deflate:
    """A codec that is right: what the defective ones differ from."""

    name = "deflate"
    suffix = ".z"

    def compressor(self) -> Any:
        return _Deflating()

    def reader(self, raw: BinaryIO) -> BinaryIO:
        return BytesIO(zlib.decompress(raw.read()))


class _Deflating:
    def __init__(self) -> None:
        self._stream = zlib.compressobj()

    def feed(self, data: Any) -> bytes:
        return self._stream.compress(data)

    def finish(self) -> bytes:
        return self._stream.flush()


class TestTheRightOne(CodecContract):
    def codec(self) -> Any:
        return Deflate()


class TakesWhatIsThere(Deflate):
    def reader(self, raw: BinaryIO) -> BinaryIO:
        return BytesIO(zlib.decompressobj().decompress(raw.read()))


class ChecksNothing(Deflate):
    def reader(self, raw: BinaryIO) -> BinaryIO:
        return BytesIO(zlib.decompressobj(wbits=-15).decompress(raw.read()[2:]))


class HasOneStream(Deflate):
    def __init__(self) -> None:
        self._only = _Deflating()

    def compressor(self) -> Any:
        return self._only


@pytest.mark.parametrize(
    ("defective", "promise"),
    [
        (TakesWhatIsThere, "a_stream_that_was_cut_off_is_refused"),
        (ChecksNothing, "a_stream_that_was_cut_off_is_refused"),
        (HasOneStream, "streams_do_not_disturb_each_other"),
        (HasOneStream, "what_one_process_compresses_another_reads"),
    ],
)
def test_a_defective_codec_is_found(defective: type[Deflate], promise: str) -> None:
    class Contract(CodecContract):
        def codec(self) -> Any:
            return defective()

    with pytest.raises((*BROKEN, TypeError, zlib.error)):
        getattr(Contract(), f"test_{promise}")()


class QueuesEverything(ThreadExecutor):
    def run(self, task: Any, items: Any, emit: Any) -> Any:
        return super().run(task, list(items), emit)


class LosesTheLast(ThreadExecutor):
    def run(self, task: Any, items: Any, emit: Any) -> Any:
        return super().run(task, list(items)[:-1], emit)


class TellsNobody(ThreadExecutor):
    def run(self, task: Any, items: Any, emit: Any) -> Any:
        return super().run(task, items, lambda _: None)


class NeverStops(ThreadExecutor):
    def stop(self) -> None: ...


class SwallowsExceptions(ThreadExecutor):
    def run(self, task: Any, items: Any, emit: Any) -> Any:
        try:
            yield from super().run(task, items, emit)
        except Exception:
            return


@pytest.mark.parametrize(
    ("defective", "promise"),
    [
        (QueuesEverything, "items_are_taken_only_when_there_is_somebody_for_them"),
        (LosesTheLast, "every_item_gives_its_result_once"),
        (TellsNobody, "events_of_the_tasks_arrive"),
        (NeverStops, "stopping_ends_the_tasks_in_flight"),
        (SwallowsExceptions, "an_exception_of_a_task_is_raised_and_the_executor_can_go_on"),
    ],
)
def test_a_defective_executor_is_found(defective: type[ThreadExecutor], promise: str) -> None:
    class Contract(ExecutorContract):
        def executor(self) -> Executor:
            return defective(2)

    with closing(defective(2)) as executor, pytest.raises((*BROKEN, Interrupted)):
        getattr(Contract(), f"test_{promise}")(executor)


class Altered:
    """Delimited text, whose format is altered in one way."""

    def __init__(self, **methods: Any) -> None:
        self._methods = methods

    @hookimpl
    def etl_analyze(self, source: Any, job: Any) -> Any:
        import etl_delimited

        found = etl_delimited.etl_analyze(source, job)
        assert found
        return dataclasses.replace(found, format=_Altered(found.format, self._methods))


class _Altered:
    def __init__(self, whole: Any, methods: dict[str, Any]) -> None:
        self._whole = whole
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        real = getattr(self._whole, name)
        return (lambda *given: self._methods[name](real, *given)) if name in self._methods else real


def leave_a_gap(real: Any, source: Any, size: int) -> Any:
    cuts = list(real(source, size))
    return cuts[1:] if len(cuts) > 1 else cuts


def drop_the_last_block(real: Any, source: Any, part: Any, columns: Any, block_bytes: int) -> Any:
    yield from (
        list(real(source, part, columns, block_bytes))[:-1] if part.start else real(source, part, columns, block_bytes)
    )


@pytest.mark.parametrize(
    ("methods", "promise", "arguments"),
    [
        ({"split": leave_a_gap}, "the_parts_of_a_file_put_together_are_the_file", (False,)),
        ({"split_exactly": leave_a_gap}, "the_parts_of_a_file_put_together_are_the_file", (True,)),
        ({"read": drop_the_last_block}, "the_parts_are_read_as_the_whole_is", ()),
        ({"count_rows": lambda real, *given: real(*given) + 1}, "records_are_counted_as_they_are_read", ()),
    ],
)
def test_a_defective_format_is_found(
    tmp_path: Path, methods: dict[str, Any], promise: str, arguments: tuple[Any, ...]
) -> None:
    from etl_framework.sources import identify

    class Contract(FormatContract):
        content = b"id,name\n" + b"".join(b"%d,name %d\n" % (number, number) for number in range(40))
        rows = 40

        def plugin(self) -> object:
            return Altered(**methods)

    path = tmp_path / "rows.csv"
    path.write_bytes(Contract.content)
    with pytest.raises(BROKEN):
        getattr(Contract(), f"test_{promise}")(identify(path), *arguments)


class MergesNothing:
    @hookimpl
    def etl_profile(self, job: Any, analysis: Any) -> Any:
        import etl_quality

        made = etl_quality.etl_profile(job, analysis)
        made.merge = _merge_nothing
        return made


def _merge_nothing(_: Any) -> None: ...


def test_a_defective_profiler_is_found() -> None:
    class Contract(ProfilerContract):
        rows = {"id": [1, 2, 3]}

        def plugin(self) -> object:
            return MergesNothing()

    with pytest.raises((*BROKEN, ArithmeticError)):
        Contract().test_it_is_of_all_rows_and_columns()


def test_quantiles_are_compared_where_both_claim_to_be_exact() -> None:
    class Contract(ProfilerContract):
        rows = {"id": [1, 2, 3]}

        def plugin(self) -> object:
            import etl_quality

            return etl_quality

    whole = Contract().profile(LiteralRows.of(Contract.rows))

    def having(*quantiles: tuple[float, int, int]) -> Any:
        made = tuple(Quantile(share=share, value=low, low=low, high=high) for share, low, high in quantiles)
        return replace(whole, columns=(replace(whole.columns[0], quantiles=made),))

    assert_alike(having((0.25, 1, 3), (0.5, 2, 2)), having((0.25, 1, 1), (0.5, 2, 2)))
    with pytest.raises(AssertionError, match="another quantile"):
        assert_alike(having((0.25, 1, 3), (0.5, 2, 2)), having((0.25, 1, 1), (0.5, 3, 3)))


LEAKY = """
import etl_duckdb
from etl_duckdb.warehouse import DuckDBWarehouse
from etl_framework import hookimpl
from etl_duckdb import etl_upload, etl_load

class Leaky(DuckDBWarehouse):
    {defect}

@hookimpl
def etl_connect(url):
    return Leaky(url) if url.startswith("duckdb:") else None
"""
DEFECTS = {
    "def delete(self, table, where, *, expect=None): return super().delete(table, where)": (
        "nothing_is_deleted_where_the_count_is_not_the_expected_one"
    ),
    "def ledger(self, table): return ()": "what_was_deleted_as_a_whole_counts_as_gone_and_may_be_loaded_again",
    "def measure(self, table, columns, where=None): return super().measure(table, columns)": (
        "a_filter_means_the_same_rows_everywhere"
    ),
    "def describe(self, table): return super().describe(table) or ()": "a_table_is_described_with_names_and_types",
    "def find_load(self, run): return None": "a_load_that_was_committed_is_not_made_again",
}
OF_EMPTY_PLACES = {
    "what_was_deleted_as_a_whole_counts_as_gone_and_may_be_loaded_again",
    "a_load_that_was_committed_is_not_made_again",
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defective_warehouse_is_found(tmp_path: Path, defect: str) -> None:
    plugin = tmp_path / "leaky.py"
    plugin.write_text(LEAKY.format(defect=defect))
    settings = PluginSettings(disabled=("duckdb",), files=(plugin,))

    class Contract(WarehouseContract):
        def url(self, folder: Path) -> str:
            return f"duckdb:{folder / 'w.duckdb'}"

    scratch = Scratch(tmp_path, Contract().url(tmp_path), settings)
    promise = DEFECTS[defect]
    if promise not in OF_EMPTY_PLACES:
        scratch.load(*ROWS)
    with closing(scratch.warehouse), pytest.raises(BROKEN):
        getattr(Contract(), f"test_{promise}")(scratch)
