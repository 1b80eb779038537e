"""Finding the dialect of a text."""

from __future__ import annotations

import csv
import io
from typing import Literal

import pytest
from etl_delimited.cells import cut
from etl_delimited.settings import FormatSettings
from etl_delimited.sniff import Supposition, sniff
from hypothesis import given, settings
from hypothesis import strategies as st


def sniffed(text: str, *, suffix: str = "", whole: bool = True, **declared: object) -> Supposition:
    known = FormatSettings(**declared)  # type: ignore[arg-type]
    return sniff(text, known, suffix=suffix, whole=whole)


WORDS = st.text(alphabet="abcXYZ äß.-", min_size=1, max_size=8)
NOISE = st.text(alphabet="ab \t,;|\"'\n\r\\:", max_size=12)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """Rows as tables have them: a number, words, and texts that hold anything."""
    noisy = draw(st.integers(0, 2))
    rows = draw(st.lists(st.tuples(st.integers(), WORDS, *([NOISE] * noisy), WORDS), min_size=12, max_size=40))
    return [[str(value) for value in row] for row in rows]


@settings(max_examples=150, deadline=None)
@given(
    rows=tables(),
    delimiter=st.sampled_from("\t,;|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    lineterminator=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_pythons_csv_writes_is_read_back_in_the_dialect_found(
    rows: list[list[str]], delimiter: str, quoting: Literal[0, 1], lineterminator: str
) -> None:
    # Python before 3.13 does not quote the line ends that it does not write itself.
    rows = [[cell.replace("\r", "\n").replace("\n", lineterminator) for cell in row] for row in rows]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=lineterminator).writerows(rows)
    found = sniffed(text.getvalue())
    assert found.escape is None
    quoted: Literal[0, 3] = csv.QUOTE_MINIMAL if found.quote else csv.QUOTE_NONE
    again = csv.reader(
        io.StringIO(text.getvalue(), newline=""), delimiter=found.delimiter, quotechar=found.quote, quoting=quoted
    )
    assert list(again) == rows
    assert found.cells.records == rows


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", "|", "||", "|~|", "::", "\x01"])
def test_every_usual_delimiter_is_found(delimiter: str) -> None:
    text = "".join(f"{delimiter.join((str(row), 'a b', '2024-01-01 10:00:00', '1.5'))}\n" for row in range(20))
    found = sniffed(text)
    assert (found.delimiter, found.width, found.disagreeing) == (delimiter, 4, 0)


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("1,5;2,5\n3,7;8,9\n", ";"),
        ("a|b,c,d\ne|f,g,h\n", ","),
        ("name\tnote\nAnna\tSmith, Anna\nBert\tJones, Bert\n", "\t"),
        ("a||b\n1||2\n", "||"),
        ("a|b|c\n1||2\n||3\n", "|"),
    ],
)
def test_delimiters_within_fields_do_not_mislead(text: str, delimiter: str) -> None:
    assert sniffed(text).delimiter == delimiter


def test_the_suffix_decides_between_equals() -> None:
    text = "a,b\tc,d\ne,f\tg,h\n"
    assert sniffed(text, suffix=".tsv").delimiter == "\t"
    assert sniffed(text, suffix=".csv").delimiter == ","


@pytest.mark.parametrize("text", ["x\n1\n2\n", "price\n1,5\n2,7\n", "Dear all,\nthis is prose.\nIt goes; on\n", "one"])
def test_a_text_of_one_column_is_not_cut(text: str) -> None:
    found = sniffed(text)
    assert found.width == 1
    assert found.delimiter not in text


def test_quotes_in_a_tsv_that_enclose_nothing_have_no_meaning() -> None:
    inches = sniffed('id\tsize\n1\t5" pipe\n2\t3" pipe\n')
    opened = sniffed('id\tsize\n1\t"5 pipe\n2\tx\n3\ty\n')
    pairs = sniffed("id\tsize\n" + "".join(f'{row}\t"half open\n' for row in range(20)))
    assert [found.quote for found in (inches, opened, pairs)] == [None, None, None]
    assert [found.disagreeing for found in (inches, opened, pairs)] == [0, 0, 0]


def test_quotes_in_a_tsv_that_enclose_delimiters_and_line_ends_have_a_meaning() -> None:
    found = sniffed('id\tsize\n1\t"5\tpipe"\n2\t"a\nb"\n')
    assert (found.quote, found.disagreeing) == ('"', 0)


def test_an_unbalanced_quote_in_a_csv_is_left_for_the_run_to_name() -> None:
    assert sniffed('id,size\n1,"a"\n2,"b\n3,c\n').quote == '"'
    assert sniffed('id,size\n1,a\n2,"b\n3,c\n').quote == '"'


def test_a_declared_quote_is_never_doubted() -> None:
    text = 'id\tsize\n1\t"5 pipe\n2\tx\n'
    assert sniffed(text, quote='"').quote == '"'
    assert sniffed('a,b\n"x","y"\n', quote="none").quote is None


def test_apostrophes_enclose_fields_only_when_they_always_do() -> None:
    assert sniffed("'a','b'\n'1','2'\n").quote == "'"
    assert sniffed("a,b\n'tis,1\nrock 'n' roll,2\n").quote != "'"


def test_a_backslash_escapes_only_where_records_need_it() -> None:
    assert sniffed('a,b\n"x \\"y\\", z",2\n"w",3\n').escape == "\\"
    assert sniffed('path,n\n"C:\\temp\\",2\n"D:\\x",3\n').escape is None


def test_a_long_quoted_field_at_the_end_of_the_sample_is_no_stray_quote() -> None:
    text = 'a,b\n1,x\n2,y\n3,"' + "some prose\n" * 300
    assert sniffed(text, whole=False).quote == '"'


def test_cells_are_cut_as_python_cuts_them() -> None:
    text = 'a,"b ""c"" d",\r\n"x\ny",,z\n\n1,2"3,4'
    found = cut(text, ",", '"', None, whole=True)
    assert found.records == [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    assert text[found.starts[1] :].startswith('"x')
    assert (found.quoted, found.needed, found.malformed, found.stray) == (2, 2, 0, 1)
