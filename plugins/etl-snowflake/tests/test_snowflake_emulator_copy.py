"""COPY from a stage into a table, as Snowflake's documentation fixes it."""

import bz2
import gzip

import pytest

# "1,a" and a line feed in one frame; written out, as the driver's environment need not have zstd
ZSTD = bytes.fromhex("28b52ffd2004210000312c610a")
CSV = "FILE_FORMAT = (TYPE = CSV)"


@pytest.fixture
def stage(cursor, tmp_path):
    """Puts content into the stage `st` under a name."""
    cursor.execute("CREATE STAGE st")

    def put(name, content, path="", options=""):
        source = tmp_path / name
        source.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return cursor.execute(f"PUT 'file://{source}' '@st/{path}' AUTO_COMPRESS=FALSE {options}").fetchall()

    return put


def copy(cursor, options=CSV, source="@st", table="t"):
    return cursor.execute(f"COPY INTO {table} FROM {source} {options}").fetchall()


def rows(cursor, table="t"):
    return cursor.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()


def test_copy_loads_a_file_once(cursor, stage):
    """https://docs.snowflake.com/en/user-guide/data-load-considerations-load: load metadata prevents reloading."""
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    assert stage("part 1.csv.gz", b"1,a\n2,b\n", "run 1")[0][6] == "UPLOADED"
    loaded = cursor.execute("COPY INTO t FROM '@st/run 1' FILE_FORMAT = (TYPE = CSV)").fetchall()
    assert loaded == [("st/run 1/part 1.csv.gz", "LOADED", 2, 2, 1, 0, None, None, None, None)]
    assert copy(cursor, source="'@st/run 1'") == [("Copy executed with 0 files processed.",)]
    assert rows(cursor) == [(1, "a"), (2, "b")]


def test_a_file_that_was_loaded_is_reported_when_it_is_named(cursor, stage):
    cursor.execute("CREATE TABLE t (n INT)")
    stage("a.csv", b"1\n")
    copy(cursor)
    (row,) = copy(cursor, f"FILES = ('a.csv') {CSV}")
    assert row[:4] == ("st/a.csv", "LOAD_SKIPPED", 0, 0)
    assert row[6] == "File was loaded before."


def test_force_loads_a_file_again(cursor, stage):
    cursor.execute("CREATE TABLE t (n INT)")
    stage("a.csv", b"1\n")
    copy(cursor)
    copy(cursor, f"{CSV} FORCE = TRUE")
    assert rows(cursor) == [(1,), (1,)]


@pytest.mark.parametrize(
    ("statement", "loads_again"),
    [("DELETE FROM t", False), ("TRUNCATE TABLE t", True), ("CREATE OR REPLACE TABLE t (n INT)", True)],
)
def test_load_metadata_ends_with_truncation_and_recreation_but_not_with_delete(cursor, stage, statement, loads_again):
    """https://docs.snowflake.com/en/sql-reference/sql/truncate-table: deletes the load metadata for the table."""
    cursor.execute("CREATE TABLE t (n INT)")
    stage("a.csv", b"1\n")
    copy(cursor)
    cursor.execute(statement)
    copy(cursor)
    assert bool(rows(cursor)) == loads_again


def test_a_file_of_the_same_name_with_other_bytes_is_loaded(cursor, stage):
    cursor.execute("CREATE TABLE t (n INT)")
    stage("a.csv", b"1\n")
    copy(cursor)
    stage("a.csv", b"2\n", options="OVERWRITE=TRUE")
    copy(cursor)
    assert rows(cursor) == [(1,), (2,)]


def test_a_copy_that_is_rolled_back_leaves_no_load_metadata(cursor, stage):
    cursor.execute("CREATE TABLE t (n INT)")
    stage("a.csv", b"1\n")
    cursor.execute("BEGIN")
    copy(cursor)
    cursor.execute("ROLLBACK")
    assert rows(cursor) == []
    copy(cursor)
    assert rows(cursor) == [(1,)]


BAD = b"n,s\n1,a\nx,b\n3,c\n"
HEADER = "FILE_FORMAT = (TYPE = CSV SKIP_HEADER = 1)"


def test_abort_statement_loads_nothing_and_says_where(cursor, stage, raises_snowflake):
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    stage("a.csv", b"n,s\n7,z\n")
    stage("b.csv.gz", BAD)
    with raises_snowflake(100038) as caught:
        copy(cursor, HEADER)
    assert caught.value.sqlstate == "22018"
    assert (
        "Numeric value 'x' is not recognized\n  File 'b.csv.gz', line 3, character 1\n  Row 2, column \"T\"[\"N\":1]\n"
        in str(caught.value)
    )
    assert rows(cursor) == []


def test_an_error_in_an_open_transaction_undoes_the_copy_alone(cursor, stage, raises_snowflake):
    """https://docs.snowflake.com/en/sql-reference/transactions: a failed statement does not end the transaction."""
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    stage("a.csv", b"n,s\n7,z\n")
    stage("b.csv.gz", BAD)
    cursor.execute("BEGIN")
    cursor.execute("INSERT INTO t VALUES (9, 'kept')")
    with raises_snowflake(100038):
        copy(cursor, HEADER)
    cursor.execute("COMMIT")
    assert rows(cursor) == [(9, "kept")]


def test_continue_loads_the_good_rows_and_counts_the_bad(cursor, stage):
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    stage("b.csv.gz", BAD)
    (row,) = copy(cursor, f"{HEADER} ON_ERROR = CONTINUE")
    assert row == (
        "st/b.csv.gz",
        "PARTIALLY_LOADED",
        3,
        2,
        3,
        1,
        "Numeric value 'x' is not recognized",
        3,
        1,
        '"T"["N":1]',
    )
    assert rows(cursor) == [(1, "a"), (3, "c")]


@pytest.mark.parametrize(
    ("on_error", "status", "loaded"),
    [
        ("SKIP_FILE", "LOAD_FAILED", 0),
        ("SKIP_FILE_1", "LOAD_FAILED", 0),
        ("SKIP_FILE_2", "PARTIALLY_LOADED", 2),
        ("'SKIP_FILE_70%'", "PARTIALLY_LOADED", 2),
    ],
)
def test_skip_file_leaves_out_a_file_with_too_many_bad_rows(cursor, stage, on_error, status, loaded):
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    stage("a.csv", b"n,s\n7,z\n")
    stage("b.csv.gz", BAD)
    found = {row[0]: row for row in copy(cursor, f"{HEADER} ON_ERROR = {on_error}")}
    assert found["st/a.csv"][1] == "LOADED"
    assert found["st/b.csv.gz"][1:4] == (status, 3, loaded)
    assert len(rows(cursor)) == 1 + loaded


@pytest.mark.parametrize(
    ("content", "errno", "message", "line", "character", "column"),
    [
        (b"1,a,extra\n2,b\n", 100080, "Number of columns in file (3) does not match", 2, 1, '"T"[3]'),
        (b"1\n2,b\n", 100080, "Number of columns in file (1) does not match", 2, 1, '"T"["N":1]'),
        (b"1,a,extra\n", 100080, "Number of columns in file (3) does not match", 1, 10, '"T"[3]'),
        (
            b"1,a\n2,b,extra\n",
            100016,
            "Field delimiter ',' found while expecting record delimiter '\\n'",
            2,
            4,
            '"T"["S":2]',
        ),
        (
            b"1,a\n2\n",
            100068,
            'End of record reached while expected to parse column \'"T"["S":2]\'',
            2,
            2,
            '"T"["S":2]',
        ),
        (b"1,a\n\n", 100068, "End of record reached while expected to parse column", 2, 1, '"T"["S":2]'),
        (
            b"1,a\n2,toolong\n",
            100074,
            "User character length limit (5) exceeded by string 'toolong'",
            2,
            3,
            '"T"["S":2]',
        ),
        (b"1,a\n,b\n", 100072, "NULL result in a non-nullable column", 2, 1, '"T"["N":1]'),
        (b'1,a\n2,"x"y\n', 100066, "Found character 'y' instead of field delimiter ','", 2, 6, '"T"["S":2]'),
        (b'1,"a\nb"\n2,"c\nd"\nx,e\n', 100038, "Numeric value 'x' is not recognized", 5, 1, '"T"["N":1]'),
        (b'1,"a"\nx,"b"\n', 100038, "Numeric value 'x' is not recognized", 2, 1, '"T"["N":1]'),
        (b"1,a\n2,\xff\n", 100144, "Invalid UTF8 detected in string '0xFF'", 2, 4, '"T"["S":2]'),
    ],
)
def test_a_malformed_file_is_located(cursor, stage, raises_snowflake, content, errno, message, line, character, column):
    cursor.execute("CREATE TABLE t (n INT NOT NULL, s VARCHAR(5))")
    stage("a.csv", content)
    quoted = "FILE_FORMAT = (TYPE = CSV FIELD_OPTIONALLY_ENCLOSED_BY = '\"')"
    with raises_snowflake(errno) as caught:
        copy(cursor, quoted)
    assert message in str(caught.value)
    (row,) = copy(cursor, f"{quoted} ON_ERROR = CONTINUE")
    assert row[7:] == (line, character, column)
    assert row[5] >= 1


def test_values_are_refused_by_their_type(cursor, stage):
    """https://docs.snowflake.com/en/sql-reference/data-type-conversion."""
    cases = {
        "DATE": ("2024-02-30", "Date '2024-02-30' is not recognized"),
        "TIMESTAMP_NTZ": ("noon", "Timestamp 'noon' is not recognized"),
        "TIME": ("25:00", "Time '25:00' is not recognized"),
        "BOOLEAN": ("maybe", "Boolean value 'maybe' is not recognized"),
        "NUMBER(4,1)": ("12345", "Numeric value '12345' is not recognized"),
        "FLOAT": ("1_0", "Numeric value '1_0' is not recognized"),
    }
    for i, (kind, (text, message)) in enumerate(cases.items()):
        cursor.execute(f"CREATE TABLE c{i} (v {kind})")
        stage(f"c{i}.csv", text.encode() + b"\n")
        (row,) = copy(cursor, f"{CSV} ON_ERROR = CONTINUE", f"@st/c{i}.csv", f"c{i}")
        assert row[6] == message


def test_a_list_of_columns_or_a_select_does_not_count_fields(cursor, stage):
    """https://docs.snowflake.com/en/sql-reference/sql/copy-into-table: columns omitted and reordered."""
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR, f VARCHAR, r INT)")
    stage("a.csv", b"1,a,more\n2\n", "x")
    copy(cursor, CSV, "(SELECT $1, upper($2), METADATA$FILENAME, METADATA$FILE_ROW_NUMBER FROM @st/x)")
    assert rows(cursor) == [(1, "A", "x/a.csv", 1), (2, None, "x/a.csv", 2)]
    copy(cursor, f"{CSV} FORCE = TRUE", "@st/x", "t (n, s)")
    assert cursor.execute("SELECT n, s, f FROM t WHERE f IS NULL ORDER BY n").fetchall() == [
        (1, "a", None),
        (2, None, None),
    ]


@pytest.mark.parametrize(
    ("options", "content", "expected"),
    [
        ("FIELD_DELIMITER = '\\t'", b"1\ta,b\n", [(1, "a,b")]),
        ("FIELD_DELIMITER = '||'", b"1||a|b\n", [(1, "a|b")]),
        ("RECORD_DELIMITER = ';'", b"1,a;2,b\nc;", [(1, "a"), (2, "b\nc")]),
        ("", b"1,a\r\n2,b\r\n", [(1, "a"), (2, "b")]),
        ("", b"1,\\N\n2,\n3,N\n", [(1, None), (2, None), (3, "N")]),
        ("", b"1,a\\tb\\,c\n", [(1, "a\tb,c")]),
        ("ESCAPE_UNENCLOSED_FIELD = NONE", b"1,a\\tb\n", [(1, "a\\tb")]),
        ("NULL_IF = ('NULL')", b"1,NULL\n2,\\\\N\n", [(1, None), (2, "\\N")]),
        ("NULL_IF = () EMPTY_FIELD_AS_NULL = FALSE", b"1,\n", [(1, "")]),
        ("FIELD_OPTIONALLY_ENCLOSED_BY = '\"'", b'1,"a ""b"", c"\n2,""\n', [(1, 'a "b", c'), (2, "")]),
        ("FIELD_OPTIONALLY_ENCLOSED_BY = '\"' NULL_IF = ('')", b'1,""\n', [(1, None)]),
        ("FIELD_OPTIONALLY_ENCLOSED_BY = '\"' ESCAPE = '\\\\'", b'1,"a\\"b"\n', [(1, 'a"b')]),
        ("TRIM_SPACE = TRUE", b" 1 , a \n", [(1, "a")]),
        ("SKIP_BLANK_LINES = TRUE", b"1,a\n\n2,b\n\n", [(1, "a"), (2, "b")]),
        ("SKIP_HEADER = 2", b"x\ny\n1,a\n", [(1, "a")]),
        ("ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE", b"1\n2,b,c\n", [(1, None), (2, "b")]),
        ("REPLACE_INVALID_CHARACTERS = TRUE", b"1,\xff\n", [(1, "\ufffd")]),
        ("ENCODING = 'WINDOWS1252'", b"1,\x80\n", [(1, "\u20ac")]),
        ("ENCODING = 'UTF16LE'", "1,\u20ac\n".encode("utf-16-le"), [(1, "\u20ac")]),
        ("", b"\xef\xbb\xbf1,a\n", [(1, "a")]),
        ("COMPRESSION = BZ2", bz2.compress(b"1,a\n"), [(1, "a")]),
        ("COMPRESSION = ZSTD", ZSTD, [(1, "a")]),
        ("COMPRESSION = AUTO", ZSTD, [(1, "a")]),
        ("COMPRESSION = ZSTD", ZSTD * 2, [(1, "a"), (1, "a")]),
        ("", b"", []),
    ],
)
def test_a_file_is_read_as_its_format_says(cursor, stage, options, content, expected):
    """https://docs.snowflake.com/en/sql-reference/sql/create-file-format."""
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    stage("file.dat", content)
    copy(cursor, f"FILE_FORMAT = (TYPE = CSV {options})")
    assert rows(cursor) == expected


@pytest.mark.parametrize("content", [ZSTD[:-1], ZSTD + ZSTD[:-1], ZSTD + b"1,a\n"])
def test_a_file_that_is_compressed_only_in_part_is_refused(cursor, stage, raises_snowflake, content):
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    stage("file.dat", content)
    with raises_snowflake(100096) as caught:
        copy(cursor, "FILE_FORMAT = (TYPE = CSV COMPRESSION = ZSTD)")
    assert "during decompression for file: 'file.dat'" in str(caught.value)
    assert rows(cursor) == []


@pytest.mark.parametrize(
    ("kind", "options", "text", "expected"),
    [
        ("DATE", "DATE_FORMAT = 'DD.MM.YYYY'", "31.12.2024", "2024-12-31"),
        ("DATE", "DATE_FORMAT = 'YYYYMMDD'", "20241231", "2024-12-31"),
        ("DATE", "", "2024-12-31", "2024-12-31"),
        ("TIME", "TIME_FORMAT = 'HH24MI'", "2359", "23:59:00"),
        (
            "TIMESTAMP_NTZ",
            "TIMESTAMP_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF3'",
            "2024-12-31 23:59:58.123",
            "2024-12-31 23:59:58.123000",
        ),
        ("TIMESTAMP_NTZ", "", "2024-12-31T23:59:58", "2024-12-31 23:59:58"),
        ("NUMBER(10,2)", "", "-1.255", "-1.26"),
        ("NUMBER(38,0)", "", "1e3", "1000"),
        ("BOOLEAN", "", "Yes", "True"),
        ("BINARY", "BINARY_FORMAT = HEX", "00ff", "00FF"),
        ("BINARY", "BINARY_FORMAT = BASE64", "AP8=", "00FF"),
    ],
)
def test_a_value_is_read_in_the_format_of_its_type(cursor, stage, kind, options, text, expected):
    cursor.execute(f"CREATE TABLE t (v {kind})")
    stage("a.csv", text.encode() + b"\n")
    copy(cursor, f"FILE_FORMAT = (TYPE = CSV {options})")
    (value,) = cursor.execute("SELECT v FROM t").fetchone()
    assert (value.hex().upper() if kind == "BINARY" else str(value)) == expected


def test_a_named_format_is_used_and_replaced(cursor, stage):
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    cursor.execute("CREATE FILE FORMAT semi TYPE = CSV FIELD_DELIMITER = ';'")
    stage("a.csv", b"1;a\n")
    copy(cursor, "FILE_FORMAT = (FORMAT_NAME = 'semi')")
    assert rows(cursor) == [(1, "a")]


def test_files_and_pattern_choose_what_is_loaded(cursor, stage):
    cursor.execute("CREATE TABLE t (n INT)")
    for i in range(3):
        stage(f"part_{i}.csv", b"%d\n" % i, "run")
    copy(cursor, f"FILES = ('part_1.csv') {CSV}", "@st/run/")
    copy(cursor, f"PATTERN = '.*_2[.]csv' {CSV}", "@st/run/")
    assert rows(cursor) == [(1,), (2,)]


def test_a_named_file_that_is_missing_fails_the_statement(cursor, stage, raises_snowflake):
    cursor.execute("CREATE TABLE t (n INT)")
    stage("a.csv", b"1\n")
    with raises_snowflake(91016):
        copy(cursor, f"FILES = ('a.csv', 'nowhere.csv') {CSV}")
    assert rows(cursor) == []


def test_more_than_a_thousand_names_are_refused(cursor, stage, raises_snowflake):
    """https://docs.snowflake.com/en/sql-reference/sql/copy-into-table: the maximum number of file names is 1000."""
    cursor.execute("CREATE TABLE t (n INT)")
    names = ", ".join(f"'{i}.csv'" for i in range(1001))
    with raises_snowflake(1006):
        copy(cursor, f"FILES = ({names}) {CSV}")


def test_size_limit_stops_after_the_file_that_reaches_it(cursor, stage):
    """https://docs.snowflake.com/en/sql-reference/sql/copy-into-table: at least one file is loaded regardless."""
    cursor.execute("CREATE TABLE t (n INT)")
    for i in range(3):
        stage(f"{i}.csv", b"%d\n" % i)
    assert len(copy(cursor, f"{CSV} SIZE_LIMIT = 20")) == 2
    assert rows(cursor) == [(0,), (1,)]


def test_purge_removes_what_was_loaded(cursor, stage):
    cursor.execute("CREATE TABLE t (n INT)")
    stage("a.csv", b"1\n")
    copy(cursor, f"{CSV} PURGE = TRUE")
    assert cursor.execute("LIST @st").fetchall() == []


def test_return_errors_lists_every_bad_row_and_loads_none(cursor, stage):
    """https://docs.snowflake.com/en/sql-reference/sql/copy-into-table, VALIDATION_MODE."""
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    stage("a.csv", b"x,a\n2,b\n3,c,d\n")
    found = copy(cursor, f"{CSV} VALIDATION_MODE = RETURN_ERRORS")
    assert [(r[0], r[1], r[2], r[3], r[6], r[9]) for r in found] == [
        ("Numeric value 'x' is not recognized", "st/a.csv", 1, 1, 100038, 1),
        ("Field delimiter ',' found while expecting record delimiter '\\n'", "st/a.csv", 3, 4, 100016, 3),
    ]
    assert rows(cursor) == []


def test_return_n_rows_shows_the_first_rows(cursor, stage):
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    stage("a.csv", b"1,a\n2,b\n3,c\n")
    assert copy(cursor, f"{CSV} VALIDATION_MODE = RETURN_2_ROWS") == [("1", "a"), ("2", "b")]


def test_a_column_left_out_takes_its_default(cursor, stage):
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR DEFAULT 'd')")
    stage("a.csv", b"1\n")
    copy(cursor, CSV, "@st", "t (n)")
    assert rows(cursor) == [(1, "d")]


def test_what_is_not_emulated_is_refused(cursor, stage, raises_snowflake):
    cursor.execute("CREATE TABLE t (n INT)")
    for options in (
        "FILE_FORMAT = (TYPE = JSON)",
        "FILE_FORMAT = (TYPE = CSV PARSE_HEADER = TRUE)",
        f"{CSV} MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE",
    ):
        with raises_snowflake(391999):
            copy(cursor, options)


def test_names_with_quotes_spaces_and_dots_are_loaded(cursor, tmp_path):
    cursor.execute('CREATE TABLE "a ""b"".c; --" ("sel ect" INT)')
    cursor.execute('CREATE STAGE "my ""stage"".x"')
    (tmp_path / "p [1]*.csv").write_bytes(b"1\n")
    cursor.execute(f"""PUT 'file://{tmp_path}/p*' '@"my ""stage"".x"/p q/' AUTO_COMPRESS=FALSE""")
    cursor.execute("""COPY INTO "a ""b"".c; --" FROM '@"my ""stage"".x"/p q/' FILE_FORMAT = (TYPE = CSV)""")
    assert cursor.execute('SELECT "sel ect" FROM "a ""b"".c; --"').fetchall() == [(1,)]
