"""How COPY reads files that take more than one block, or more than one thread."""

import pytest

QUOTED = "FILE_FORMAT = (TYPE = CSV FIELD_OPTIONALLY_ENCLOSED_BY = '\"')"
LONG = 3 << 19


@pytest.fixture
def stage(cursor, tmp_path):
    """Puts content into the stage `st` under a name."""
    cursor.execute("CREATE STAGE st")

    def put(name, content):
        source = tmp_path / name
        source.write_bytes(content)
        cursor.execute(f"PUT 'file://{source}' @st AUTO_COMPRESS=FALSE")

    return put


@pytest.mark.parametrize("text", ["a\nb", 'a""b', "é\nü"])
def test_a_quoted_line_end_is_part_of_the_value_wherever_a_block_ends(cursor, stage, text):
    count = LONG // (len(text) + 4)
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    stage("a.csv", f'1,"{text}"\n'.encode() * count)
    cursor.execute(f"COPY INTO t FROM @st {QUOTED}")
    found = cursor.execute("SELECT s, COUNT(*) FROM t GROUP BY s").fetchall()
    assert found == [(text.replace('""', '"'), count)]


def test_a_record_may_be_larger_than_a_block(cursor, stage):
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    stage("a.csv", b"1," + b"x" * LONG + b"\n2,y\n")
    cursor.execute(f"COPY INTO t FROM @st {QUOTED}")
    assert cursor.execute("SELECT n, LENGTH(s) FROM t ORDER BY n").fetchall() == [(1, LONG), (2, 1)]


def test_bytes_that_are_no_utf8_are_refused(cursor, stage, raises_snowflake):
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    stage("a.csv", b"1,a\n2,\xff\n")
    with raises_snowflake(100144) as caught:
        cursor.execute(f"COPY INTO t FROM @st {QUOTED}")
    assert "Invalid UTF8" in str(caught.value)


@pytest.mark.parametrize("source", ["@st", "(SELECT $1 FROM @st)"])
def test_characters_are_counted_and_not_octets(cursor, stage, raises_snowflake, source):
    cursor.execute("CREATE TABLE t (s VARCHAR(3))")
    stage("a.csv", "äöü\n".encode())
    cursor.execute(f"COPY INTO t FROM {source} {QUOTED}")
    assert cursor.execute("SELECT s FROM t").fetchall() == [("äöü",)]
    stage("b.csv", b"abcd\n")
    with raises_snowflake(100074 if source == "@st" else 100078) as caught:
        cursor.execute(f"COPY INTO t FROM {source} {QUOTED}")
    assert "'abcd'" in str(caught.value)


def test_the_first_of_several_bad_files_is_told_and_nothing_is_loaded(cursor, stage, raises_snowflake):
    cursor.execute("CREATE TABLE t (n INT)")
    for number in range(9):
        stage(f"{number}.csv", b"1\nx\n" if number in (4, 7) else b"1\n2\n")
    with raises_snowflake(100038) as caught:
        cursor.execute(f"COPY INTO t FROM @st {QUOTED}")
    assert "File '4.csv', line 2" in str(caught.value)
    assert cursor.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]
    loaded = cursor.execute(f"COPY INTO t FROM @st {QUOTED} ON_ERROR = SKIP_FILE").fetchall()
    assert [(row[0], row[1]) for row in loaded if row[1] != "LOADED"] == [
        ("st/4.csv", "LOAD_FAILED"),
        ("st/7.csv", "LOAD_FAILED"),
    ]
    assert cursor.execute("SELECT COUNT(*) FROM t").fetchall() == [(14,)]


def test_rows_that_would_be_loaded_are_shown_of_all_files_together(cursor, stage):
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR(3))")
    stage("a.csv", b"1,abc\n")
    stage("b.csv", "2,äöü\n".encode())
    stage("c.csv", b"3,a_b\n")
    found = cursor.execute(f"COPY INTO t FROM @st {QUOTED} VALIDATION_MODE = RETURN_9_ROWS").fetchall()
    assert found == [("1", "abc"), ("2", "äöü"), ("3", "a_b")]


def test_an_empty_field_at_the_very_end_is_null_also_behind_a_quoted_one(cursor, stage):
    cursor.execute("CREATE TABLE t (s VARCHAR, n INT)")
    stage("a.csv", b'"a",')
    cursor.execute(f"COPY INTO t FROM @st {QUOTED}")
    assert cursor.execute("SELECT s, n FROM t").fetchall() == [("a", None)]


@pytest.mark.parametrize("on_error", ["ABORT_STATEMENT", "CONTINUE", "SKIP_FILE"])
def test_a_copy_that_fails_within_a_transaction_leaves_nothing_there(cursor, stage, raises_snowflake, on_error):
    cursor.execute("CREATE TABLE t (n INT)")
    stage("a.csv", b"1\n2\n")
    stage("b.csv.gz", b"\x1f\x8b no gzip")
    cursor.execute("BEGIN")
    cursor.execute("INSERT INTO t VALUES (7)")
    with raises_snowflake(100096):
        cursor.execute(f"COPY INTO t FROM @st {QUOTED} ON_ERROR = {on_error}")
    cursor.execute("COMMIT")
    assert cursor.execute("SELECT n FROM t").fetchall() == [(7,)]
