"""The type of a column, from a sample of its texts."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from etl_delimited.infer import NULL_TOKENS, Inferred, fits, infer
from etl_delimited.settings import FormatSettings
from hypothesis import example, given, settings
from hypothesis import strategies as st

NOTHING_DECLARED = FormatSettings()


def inferred(*texts: str | None, **declared: object) -> Inferred:
    return infer(pa.array(texts, pa.string()), FormatSettings(**declared))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "-2", "0", None], "bigint"),
        (["0", "1"], "bigint"),
        (["9223372036854775807", "1"], "bigint"),
        (["9223372036854775808", "1"], "decimal(38,0)"),
        (["9" * 38], "decimal(38,0)"),
        (["1.5", "2", ".5", "1e-7"], "double"),
        (["1.5", "inf"], "double"),
        (["48.053808600000004", "1.5"], "double"),
        (["true", "FALSE"], "boolean"),
        (["2024-02-29", "2023-01-01"], "date"),
        (["2024-02-29 10:00:00", "2023-01-01T10:00:00.123456"], "timestamp"),
        (["2013-01-01T10:00:00Z", "2013-01-01 10:00:00+02:00"], "timestamptz"),
        (["10:30", "23:59:59.5"], "time"),
        (["abc", "1"], "varchar"),
    ],
)
def test_the_narrowest_type_of_all_values_is_chosen(texts: list[str | None], kind: str) -> None:
    assert str(inferred(*texts).type) == kind


@pytest.mark.parametrize(
    "texts",
    [
        ["007", "123"],
        ["123", "-01"],
        ["1.5", "00.5"],
        ["+1", "2"],
        [" 1", "2"],
        ["9" * 39],
        ["1.5", "9007199254740993"],
        ["0.1234567890123456789"],
        ["2024-02-30", "2024-01-01"],
        ["0000-00-00"],
        ["2024-01-01", "0000-01-01"],
        ["0000-01-01 10:00"],
        ["1", "0x10"],
        ["1.5", "1e400"],
        ["2024-01-01T00:00:00.123456789"],
        ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00"],
        ["25:00"],
        ["1,5", "2,5"],
        ["t", "f"],
        ["１２", "３４"],
    ],
)
def test_texts_that_would_not_come_back_the_same_stay_text(texts: list[str]) -> None:
    assert str(inferred(*texts).type) == "varchar"


def test_one_odd_value_far_down_makes_a_column_text() -> None:
    found = inferred(*map(str, range(10_000)), "n.a.")
    assert str(found.type) == "varchar"
    assert [(note.rule, note.values) for note in found.notes] == [("mixed_values", ("n.a.",))]


@pytest.mark.parametrize("token", NULL_TOKENS)
def test_null_tokens_count_as_null_among_numbers_only(token: str) -> None:
    numbers, texts = inferred("1", token, "2"), inferred("JFK", token, "LGA")
    assert (str(numbers.type), numbers.null_tokens) == ("bigint", (token,))
    assert (str(texts.type), texts.null_tokens) == ("varchar", ())


def test_declared_null_values_replace_the_usual_ones() -> None:
    assert str(inferred("1", "-", null_values=["-"]).type) == "bigint"
    assert str(inferred("1", "NA", null_values=["-"]).type) == "varchar"


@pytest.mark.parametrize("texts", [[None, None], ["NA", "NULL"], [""], []])
def test_a_column_without_values_is_text_and_said_to_be_unknown(texts: list[str | None]) -> None:
    found = inferred(*texts)
    assert (str(found.type), found.known, found.null_tokens) == ("varchar", False, ())


@pytest.mark.parametrize(
    ("texts", "kind", "pattern"),
    [
        (["31.12.2024", "01.02.2024"], "date", "%d.%m.%Y"),
        (["12/31/2024", "1/2/2024"], "date", "%m/%d/%Y"),
        (["31/12/2024", "01/02/2024"], "date", "%d/%m/%Y"),
        (["2024/12/31", "2024/01/02"], "date", "%Y/%m/%d"),
        (["31-Dec-2024", "01-may-2024"], "date", "%d-%b-%Y"),
        (["31 December 2024", "1 May 2024"], "date", "%d %B %Y"),
        (["31.12.2024 23:59:00", "01.02.2024 00:00:00"], "timestamp", "%d.%m.%Y %H:%M:%S"),
        (["12/31/2024 11:59 PM", "01/02/2024 1:00 am"], "timestamp", "%m/%d/%Y %I:%M %p"),
    ],
)
def test_dates_in_other_formats_are_recognized_when_beyond_doubt(texts: list[str], kind: str, pattern: str) -> None:
    found = inferred(*texts)
    assert (str(found.type), found.format) == (kind, pattern)


def test_days_that_could_be_months_are_asked_about() -> None:
    found = inferred("01/02/2024", "03/04/2024")
    assert str(found.type) == "varchar"
    (note,) = found.notes
    assert (note.rule, note.severe) == ("ambiguous_dates", True)
    assert "%d/%m/%Y" in note.advice
    assert "%m/%d/%Y" in note.advice


@pytest.mark.parametrize(
    "texts",
    [
        ["2024-01-01", "01.02.2024", "2024-01-03"],
        ["31/12/2024", "12/31/2024"],
        ["2024-01-01", "2024/01/02"],
    ],
)
def test_several_date_formats_in_one_column_are_reported(texts: list[str]) -> None:
    found = inferred(*texts)
    assert str(found.type) == "varchar"
    assert [note.rule for note in found.notes] == ["mixed_date_formats"]


def test_digits_are_dates_only_when_declared() -> None:
    assert str(inferred("20240131", "20240201").type) == "bigint"
    declared = inferred("20240131", "20240201", date_format="%Y%m%d")
    assert (str(declared.type), declared.format) == ("date", "%Y%m%d")
    assert str(inferred("20240131", "20241301", date_format="%Y%m%d").type) == "bigint"


@pytest.mark.parametrize(
    ("texts", "rule"),
    [
        (["1,234", "12,345,678.90"], "number_format"),
        (["1,5", "2,75"], "number_format"),
        (["  1", "12 "], "number_format"),
        (["1.5", "9007199254740993"], "too_precise"),
        (["31.12.24", "01.02.24"], "two_digit_years"),
    ],
)
def test_what_nearly_is_a_number_or_date_is_hinted_at(texts: list[str], rule: str) -> None:
    assert [note.rule for note in inferred(*texts).notes] == [rule]


@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_any_integers_of_64_bits_are_bigint(numbers: list[int]) -> None:
    assert str(inferred(*map(str, numbers)).type) == "bigint"


@settings(deadline=None)
@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=3), min_size=1))
def test_decimals_are_double_only_when_a_double_holds_each(numbers: list[Decimal]) -> None:
    texts = [f"{number:f}" for number in numbers]
    if str(inferred(*texts).type) == "double":
        for text in texts:
            digits = len(Decimal(text).as_tuple().digits)
            assert Decimal(text) in (Decimal(f"{float(text):.{digits}g}"), Decimal(repr(float(text))))


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
@example([2.0**-24])
def test_doubles_as_python_writes_them_never_lose_anything(numbers: list[float]) -> None:
    found = inferred(*map(repr, numbers))
    large = any(number == int(number) and abs(number) > 2**53 for number in numbers)
    assert str(found.type) == "double" or large


@settings(deadline=None)
@given(st.dates())
def test_whether_a_text_fits_agrees_with_inferring_both(day: object) -> None:
    assert fits(str(day), inferred("2024-01-01"), NOTHING_DECLARED)
    assert not fits(str(day), inferred("1", "2"), NOTHING_DECLARED)
