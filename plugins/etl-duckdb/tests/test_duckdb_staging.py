"""The staging folder: what lies there is whole, or is not there."""

from __future__ import annotations

import dataclasses
import errno
import gzip
import io
from pathlib import Path

import etl_duckdb
import pytest

from etl_framework import RunFailed


class Gzip:
    """Python's own gzip as a codec."""

    name = "gzip"
    suffix = ".gz"

    def compressor(self):
        return self

    def feed(self, data):
        return gzip.compress(data)

    def finish(self):
        return b""

    def reader(self, raw):
        return io.BufferedReader(gzip.GzipFile(fileobj=raw))


DAMAGES = [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"\0" * 99, None]


@pytest.fixture
def packed(bench, columns, batch):
    """A warehouse, a run, its only batch and its packed part."""
    warehouse = bench.connect()
    shape = columns(a="integer", b="varchar")
    rows = batch(shape, [(1, "x"), (2, "y")])
    run = bench.with_totals(bench.run(shape), [rows])
    return warehouse, run, bench.pack(run, 0, [rows])


def test_a_part_is_moved_and_known_by_its_content(packed):
    warehouse, run, part = packed
    staged = etl_duckdb.etl_upload(part, warehouse, run)
    assert (staged.name, staged.size, staged.digest, staged.rows) == (part.name, part.size, part.digest, 2)
    assert not part.path.exists()
    assert warehouse.has_staged(staged, run)
    path = run.folder / "staged" / part.name
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    assert not warehouse.has_staged(staged, run)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    assert not warehouse.has_staged(staged, run)
    path.unlink()
    assert not warehouse.has_staged(staged, run)


def test_staging_again_ends_as_staging_once(packed):
    warehouse, run, part = packed
    data = part.path.read_bytes()
    first = etl_duckdb.etl_upload(part, warehouse, run)
    assert etl_duckdb.etl_upload(part, warehouse, run) == first
    (run.folder / "staged" / part.name).write_bytes(b"cut")
    part.path.write_bytes(data)
    assert etl_duckdb.etl_upload(part, warehouse, run) == first
    assert warehouse.has_staged(first, run)


def test_a_part_that_did_not_arrive_whole_is_an_error(packed):
    warehouse, run, part = packed
    with pytest.raises(RunFailed, match="bytes instead of"):
        etl_duckdb.etl_upload(dataclasses.replace(part, size=part.size + 1), warehouse, run)
    gone = dataclasses.replace(part, name="other.arrow", path=run.folder / "nothing")
    with pytest.raises(RunFailed, match=r"other\.arrow cannot be staged"):
        etl_duckdb.etl_upload(gone, warehouse, run)


def test_another_file_system_makes_a_copy_that_appears_whole(packed, monkeypatch):
    warehouse, run, part = packed
    move = Path.replace

    def replace(self, target):
        if self.parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return move(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    staged = etl_duckdb.etl_upload(part, warehouse, run)
    assert warehouse.has_staged(staged, run)
    assert not part.path.exists()
    assert [path.name for path in (run.folder / "staged").iterdir()] == [part.name]


def test_discarding_takes_what_the_run_staged_and_nothing_else(packed, bench):
    warehouse, run, part = packed
    etl_duckdb.etl_upload(part, warehouse, run)
    other = bench.run(run.columns)
    (other.folder / "staged").mkdir(parents=True)
    warehouse.discard_staged(run)
    warehouse.discard_staged(run)
    assert not (run.folder / "staged").exists()
    assert part.path.parent.exists()
    assert (other.folder / "staged").exists()


def test_a_staging_folder_that_cannot_be_used_is_an_error_of_the_place(packed):
    warehouse, run, part = packed
    staged = etl_duckdb.etl_upload(part, warehouse, run)
    (run.folder / "staged").rename(run.folder / "elsewhere")
    assert not warehouse.has_staged(staged, run)
    (run.folder / "staged").write_text("in the way")
    with pytest.raises(RunFailed, match=f"{part.name} cannot be read: ") as caught:
        warehouse.has_staged(staged, run)
    assert caught.value.advice
    with pytest.raises(RunFailed, match=f"{run.folder}/staged cannot be removed: ") as caught:
        warehouse.discard_staged(run)
    assert caught.value.advice


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("codec", [None, Gzip()])
def test_a_damaged_part_is_named_and_nothing_is_loaded(bench, columns, batch, damage, codec):
    warehouse = bench.connect()
    shape = columns(a="integer", b="varchar")
    bench.load(shape, [(0, "old")])
    batches = [batch(shape, [(1, "x")]), batch(shape, [(2, "y")])]
    run = bench.with_totals(bench.run(shape), batches)
    run = dataclasses.replace(run, codec=codec or run.codec)
    parts = bench.stage(warehouse, run, batches[:1], batches[1:])
    path = run.folder / "staged" / parts[1].name
    whole = path.read_bytes()
    path.write_bytes(damage(whole)) if damage else path.unlink()
    with pytest.raises(RunFailed, match=f"{path.name} cannot be read") as caught:
        etl_duckdb.etl_load(parts, warehouse, run)
    assert "resumed run packs a damaged part again" in caught.value.advice
    assert bench.query("from t") == [(0, "old")]
    path.write_bytes(whole)
    assert etl_duckdb.etl_load(parts, warehouse, run).rows == 2


def test_many_parts_of_many_batches_arrive_whole(bench, columns, batch):
    warehouse = bench.connect()
    shape = columns(a="integer", b="varchar")
    batches = [batch(shape, [(n, str(n)) for n in range(start, start + 50)]) for start in range(0, 1000, 50)]
    run = bench.with_totals(bench.run(shape), batches)
    parts = bench.stage(warehouse, run, batches[:1], [], batches[1:3], batches[3:])
    assert etl_duckdb.etl_load(parts, warehouse, run).rows == 1000
    assert bench.query("select count(distinct a), bool_and(b = a::varchar) from t") == [(1000, True)]
