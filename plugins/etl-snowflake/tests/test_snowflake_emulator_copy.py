"""COPY from a stage into a table, as Snowflake's documentation fixes it."""

import gzip

import pytest


@pytest.fixture
def stage(cursor, tmp_path):
    """Puts content into the stage `st` under a name."""
    cursor.execute("CREATE STAGE st")

    def put(name, content, path=""):
        source = tmp_path / name
        source.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return cursor.execute(f"PUT 'file://{source}' '@st/{path}' AUTO_COMPRESS=FALSE").fetchall()

    return put


def test_copy_loads_a_file_once(cursor, stage):
    """https://docs.snowflake.com/en/user-guide/data-load-considerations-load: load metadata prevents reloading."""
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    assert stage("part 1.csv.gz", b"1,a\n2,b\n", "run 1")[0][6] == "UPLOADED"
    rows = cursor.execute("COPY INTO t FROM '@st/run 1' FILE_FORMAT = (TYPE = CSV)").fetchall()
    assert rows == [("st/run 1/part 1.csv.gz", "LOADED", 2, 2, 1, 0, None, None, None, None)]
    assert cursor.execute("COPY INTO t FROM '@st/run 1' FILE_FORMAT = (TYPE = CSV)").fetchall() == [
        ("Copy executed with 0 files processed.",)
    ]
    assert cursor.execute("SELECT * FROM t ORDER BY n").fetchall() == [(1, "a"), (2, "b")]
