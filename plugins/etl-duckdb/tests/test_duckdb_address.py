"""The target's URL, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import etl_duckdb
import pytest
from etl_duckdb.address import Address
from etl_duckdb.database import Database

from etl_framework import UsageError


def test_a_relative_path_counts_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Address.parse("duckdb:sub/w.duckdb") == Address(path=tmp_path / "sub" / "w.duckdb")
    assert Address.parse("duckdb:/data/w.duckdb").path == Path("/data/w.duckdb")
    assert Address.parse("duckdb:~/w.duckdb").path == Path.home() / "w.duckdb"


def test_a_path_that_looks_like_a_service_is_a_file_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Address.parse("duckdb:md:db").path == tmp_path / "md:db"


def test_options_follow_the_path():
    address = Address.parse("duckdb:/w.duckdb?memory_limit=1.5GiB&threads=3&schema=my%20schema")
    assert (address.memory_limit, address.threads, address.schema) == ("1.5GiB", 3, "my schema")


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("duckdb:", "names no file"),
        ("duckdb:?threads=2", "names no file"),
        ("duckdb::memory:", "nothing that is loaded would survive"),
        ("duckdb::memory:shared?threads=2", "nothing that is loaded would survive"),
        ("duckdb:w?thread=2", "no option 'thread'"),
        ("duckdb:?thread=2", "no option 'thread'"),
        ("duckdb:w?threads=2&threads=3", "has an option twice"),
        ("duckdb:w?threads=0", "no number of threads"),
        ("duckdb:w?threads=2;drop", "no number of threads"),
        ("duckdb:w?memory_limit=lots", "is no size"),
        ("duckdb:w?memory_limit=1GB'; DROP TABLE t; --", "is no size"),
        ("duckdb:w?schema=", "empty schema"),
    ],
)
def test_an_impossible_target_is_a_usage_error(url, complaint):
    with pytest.raises(UsageError, match=complaint) as caught:
        etl_duckdb.etl_connect(url)
    assert caught.value.advice


def test_an_option_of_another_service_never_shows_its_value():
    with pytest.raises(UsageError) as caught:
        etl_duckdb.etl_connect("duckdb:md:db?motherduck_token=s3cret")
    assert "s3cret" not in str(caught.value)


def test_another_scheme_is_not_answered():
    assert etl_duckdb.etl_connect("snowflake:prod") is None


def test_the_plugin_imports_nothing_heavy_until_it_is_asked():
    code = (
        "import sys, etl_duckdb; etl_duckdb.etl_connect('snowflake:prod'); "
        "print(sorted({'duckdb', 'pyarrow', 'numpy', 'xxhash'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_memory_limit_leaves_room_for_what_many_rows_need_beside_it(tmp_path):
    database = Database(Address(path=tmp_path / "w.duckdb"))
    few, many, most = (next(database.memory_limits(16, rows)) for rows in (6_000_000, 60_000_000, 10**10))
    assert (few, many, most) == ("195MB", "147MB", "100MB")
    given = Database(Address(path=tmp_path / "w.duckdb", memory_limit="64MB"))
    assert list(given.memory_limits(16, 10**10)) == ["64MB"]


def test_a_limit_beyond_the_machine_s_memory_and_a_second_connection_are_no_hindrance(tmp_path):
    other = Address(path=tmp_path / "other.duckdb", memory_limit="900GB")
    for address in (other, Address(path=tmp_path / "w.duckdb", memory_limit="64MB"), other):
        database = Database(address)
        assert database.open().execute("SELECT 1").fetchall() == [(1,)]
        database.close()


def test_a_limit_that_duckdb_does_not_take_is_a_usage_error(tmp_path):
    database = Database(Address(path=tmp_path / "w.duckdb", memory_limit="99999999999TB"))
    with pytest.raises(UsageError, match=r"cannot be used with these options: .*too large") as caught:
        database.open()
    assert "memory_limit" in caught.value.advice
    assert not database.is_open


def test_more_memory_is_tried_however_many_rows_there_are(tmp_path):
    database = Database(Address(path=tmp_path / "w.duckdb"))
    assert list(database.memory_limits(150, 15_000_000))[1:] == list(database.memory_limits(150))[1:] != []
