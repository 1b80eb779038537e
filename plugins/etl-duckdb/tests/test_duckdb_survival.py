"""What happens to the database when something happens to the program, and the other way round."""

from __future__ import annotations

import dataclasses
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import duckdb
import etl_duckdb
import pyarrow as pa
import pytest
from etl_duckdb.address import Address
from etl_duckdb.database import Database

from etl_framework import ConnectError, Locked, RunFailed


class Endless:
    """A codec whose streams never end: a part is read over and over again.

    :ivar after: called once, when some rows have been read.
    """

    name = "endless"
    suffix = ".endless"

    def __init__(self, after):
        self.after = after

    def compressor(self):
        return self

    def feed(self, data):
        return bytes(data)

    def finish(self):
        return b""

    def reader(self, raw):
        return _Repeated(raw.read(), self)


class _Repeated:
    closed = False

    def __init__(self, data, codec):
        # Between the schema and the end mark of eight bytes lie the batches.
        stream = pa.ipc.open_stream(data)
        head = len(stream.schema.serialize())
        self._batches = data[head:-8]
        self._data = data[:-8]
        self._codec = codec
        self._rounds = 0

    def read(self, size=-1):
        while len(self._data) < size:
            self._data += self._batches
            self._rounds += 1
            if self._rounds == 30:
                self._codec.after()
        chunk, self._data = self._data[:size], self._data[size:]
        return chunk

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True


def endless(bench, warehouse, columns, batch, after):
    """A run whose load never ends by itself, and its part."""
    shape = columns(a="bigint", b="varchar")
    run = dataclasses.replace(bench.run(shape, mode="replace"), codec=Endless(after))
    rows = batch(shape, [(n, f"value {n}") for n in range(20_000)])
    return run, bench.stage(warehouse, run, [rows])


@pytest.mark.parametrize("attempt", range(3))
def test_ctrl_c_ends_a_load_at_once_and_leaves_the_table(bench, columns, batch, attempt):
    warehouse = bench.connect()
    bench.load(columns(a="bigint", b="varchar"), [(1, "old")])
    run, parts = endless(bench, warehouse, columns, batch, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        etl_duckdb.etl_load(parts, warehouse, run)
    assert warehouse.find_load(run) is None
    assert bench.query("from t") == [(1, "old")]
    bench.load(columns(a="bigint", b="varchar"), [(2, "new")])
    assert bench.query("select count(*) from t") == [(2,)]


HEAD = """
import os, signal, sys
sys.path.insert(0, {here!r})
from conftest import *
bench = Bench(Path({folder!r}))
"""


@contextmanager
def child(folder, code, **arguments):
    """A program that uses the database in a folder, and the first line that it says."""
    head = HEAD.format(here=str(Path(__file__).parent), folder=str(folder))
    with subprocess.Popen(
        [sys.executable, "-c", head + code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, **arguments
    ) as program:
        try:
            yield program, program.stdout.readline().strip()
        finally:
            program.kill()


def test_a_killed_load_has_never_been(bench, columns):
    shape = columns(a="bigint", b="varchar")
    warehouse = bench.connect()
    bench.load(shape, [(1, "old")])
    warehouse.close()
    code = """
from test_duckdb_survival import endless
bench.numbers = count(50)
run, parts = endless(bench, bench.connect(), columns_of, batch_of, lambda: print("loading", flush=True))
etl_duckdb.etl_load(parts, bench.opened[0], run)
"""
    with child(bench.folder, code) as (program, line):
        assert line == "loading"
        program.kill()
        assert program.wait() == -signal.SIGKILL
    warehouse = bench.connect()
    run = dataclasses.replace(bench.run(shape), id="run-0050")
    assert warehouse.find_load(run) is None
    assert bench.query("from t") == [(1, "old")]
    bench.load(shape, [(2, "new")])
    assert bench.query("from t order by a") == [(1, "old"), (2, "new")]


def test_a_commit_outlives_the_program_that_made_it(bench, columns):
    code = """
bench.connect()
bench.load(columns_of(a="bigint"), [(n,) for n in range(5000)])
print("committed", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with child(bench.folder, code) as (program, line):
        assert (line, program.wait()) == ("committed", -signal.SIGKILL)
    warehouse = bench.connect()
    run = dataclasses.replace(bench.run(columns(a="bigint")), id="run-0000")
    assert warehouse.find_load(run).rows == 5000
    assert bench.query("select count(*) from t") == [(5000,)]


def test_a_database_in_use_elsewhere_is_locked_and_says_by_whom(bench):
    code = "bench.connect()._database.open(); print('open', flush=True); input()"
    with child(bench.folder, code) as (program, line):
        assert line == "open"
        with pytest.raises(Locked, match=rf"process {program.pid} ") as caught:
            bench.connect()
        assert str(bench.path) in caught.value.message
        program.stdin.write("\n")
        program.stdin.flush()
        program.wait()
    assert bench.connect()


def test_a_load_says_nothing_on_its_own(bench):
    code = "bench.connect()\nbench.load(columns_of(a='bigint'), [(1,)])\nbench.opened[0].close()\nprint('done')"
    with child(bench.folder, code, stderr=subprocess.PIPE) as (program, line):
        assert line == "done"
        assert (program.stdout.read(), program.stderr.read()) == ("", "")


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda path: path.write_bytes(b"PAR1" * 5000), "is not a DuckDB database"),
        (lambda path: path.mkdir(), "is a folder"),
    ],
)
@pytest.mark.parametrize("name", ["plain", "blocks, permission denied"])
def test_what_is_no_database_is_left_as_it_is(bench, make, complaint, name):
    bench.folder = bench.folder / name
    bench.folder.mkdir()
    make(bench.path)
    before = bench.path.read_bytes() if bench.path.is_file() else None
    with pytest.raises(ConnectError, match=complaint) as caught:
        bench.connect()
    assert caught.value.advice
    assert before is None or bench.path.read_bytes() == before


@pytest.mark.parametrize("name", ["w.csv", "w.tsv", "w.json"])
def test_a_file_of_data_is_no_database_although_duckdb_opens_it(tmp_path, name):
    path = tmp_path / name
    path.write_text('[{"a": 1}]' if name == "w.json" else "a\n1\n")
    before = path.read_bytes()
    with pytest.raises(ConnectError, match="is not a DuckDB database"):
        etl_duckdb.etl_connect(f"duckdb:{path}")
    assert path.read_bytes() == before


def test_a_name_that_no_file_can_have_is_told_before_anything_is_read(bench):
    with pytest.raises(ConnectError, match=r"cannot be opened: .*File name too long"):
        etl_duckdb.etl_connect(f"duckdb:{bench.folder}/{'w' * 300}")


def test_a_missing_folder_is_told_before_anything_is_read(bench):
    with pytest.raises(ConnectError, match="there is no folder"):
        dataclasses.replace(bench, folder=bench.folder / "missing").connect()


@pytest.mark.parametrize(("there", "mode"), [(True, 0o555), (False, 0o555), (True, 0o444), (True, 0o000)])
def test_a_place_that_is_closed_to_this_user_is_told_before_anything_is_read(bench, columns, there, mode):
    # Outside of pytest's own folder, which other users cannot enter; root may write everywhere, so another user tries.
    folder = Path(tempfile.mkdtemp())
    try:
        if there:
            bench.connect()
            bench.load(columns(a="date"), [])
            bench.opened[0].close()
            shutil.copy(bench.path, folder)
            (folder / bench.path.name).chmod(0o444)
        folder.chmod(mode)
        code = """
import etl_duckdb.warehouse
from etl_framework import ConnectError
print(flush=True)
os.geteuid() or os.setuid(65534)
try:
    bench.connect()
except ConnectError as error:
    print(error)
"""
        with child(folder, code) as (program, _):
            said = program.stdout.read()
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert re.search(r"cannot be written: permission denied\nAllow this user to write", said)


def test_a_full_disk_leaves_the_table_and_the_database_sound(bench, columns):
    shape = columns(a="bigint", b="varchar")
    bench.connect()
    bench.load(shape, [(1, "old")])
    bench.opened[0].close()
    code = """
import random, resource
from etl_framework import RunFailed
shape = columns_of(a="bigint", b="varchar")
bench.numbers = count(50)
batches = [batch_of(shape, [(n, random.Random(n).randbytes(40).hex()) for n in range(200_000)])]
run = bench.run(shape, mode="replace")
warehouse = bench.connect()
parts = bench.stage(warehouse, run, batches)
resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))
print(flush=True)
try:
    etl_duckdb.etl_load(parts, warehouse, run)
except RunFailed as error:
    print(error.message)
"""
    with child(bench.folder, code) as (program, _):
        said = program.stdout.read()
        assert program.wait() == 0
    assert said.startswith("cannot load into table main.t: ")
    warehouse = bench.connect()
    assert warehouse.find_load(dataclasses.replace(bench.run(shape), id="run-0050")) is None
    bench.load(shape, [(2, "new")])
    assert bench.query("from t order by a") == [(1, "old"), (2, "new")]


@pytest.mark.parametrize(
    "error",
    [
        duckdb.IOException('Could not write all bytes to file "w": No space left on device'),
        duckdb.TransactionException('Failed to commit: Could not write file "w.wal": File too large'),
    ],
)
def test_a_full_disk_is_named_as_such(bench, error):
    database = bench.connect()._database
    with pytest.raises(RunFailed) as caught, database.errors("load into table t"):
        raise error
    assert "Free disk space" in caught.value.advice


KILLED_WHILE_MAKING = """
import os, signal
from pathlib import Path

from etl_duckdb.address import Address
from etl_duckdb.database import Database

Path.hardlink_to = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
Database(Address.parse("duckdb:w.duckdb")).open()
"""


def test_a_process_that_is_killed_while_it_makes_the_database_leaves_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_MAKING], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "w.duckdb").exists()
    database = Database(Address.parse("duckdb:w.duckdb"))
    database.open()
    database.close()
    duckdb.connect("w.duckdb").close()


@pytest.mark.parametrize("linked", [True, False])
def test_a_database_is_made_and_nothing_beside_it(tmp_path, monkeypatch, linked):
    monkeypatch.chdir(tmp_path)
    if not linked:

        def refuse(*_):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

        monkeypatch.setattr(Path, "hardlink_to", refuse)
    database = Database(Address.parse("duckdb:w.duckdb"))
    database.open()
    database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["w.duckdb"]


def test_a_database_that_somebody_else_makes_at_the_same_time_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hardlink_to = Path.hardlink_to

    def late(path, made):
        with duckdb.connect(str(path)) as other:
            other.execute("CREATE TABLE theirs (n INT)")
        hardlink_to(path, made)

    monkeypatch.setattr(Path, "hardlink_to", late)
    database = Database(Address.parse("duckdb:w.duckdb"))
    assert database.open().execute("SELECT count(*) FROM theirs").fetchall() == [(0,)]
    database.close()
