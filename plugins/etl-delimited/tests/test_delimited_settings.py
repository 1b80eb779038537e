"""What a job may declare of its sources' format."""

from __future__ import annotations

import pytest
from etl_delimited.settings import format_settings

from etl_framework import Job, TableName, UsageError


def job(**section: object) -> Job:
    return Job(name="sales", patterns=(), table=TableName.parse("t"), target="duckdb:x", sections={"format": section})


@pytest.mark.parametrize(
    ("written", "meant"),
    [("tab", "\t"), ("\\t", "\t"), ("Comma", ","), ("semicolon", ";"), ("pipe", "|"), ("|~|", "|~|"), ("\x01", "\x01")],
)
def test_a_delimiter_is_given_by_name_or_as_it_is(written: str, meant: str) -> None:
    assert format_settings(job(delimiter=written)).delimiter == meant


@pytest.mark.parametrize(("written", "meant"), [("UTF8", "utf-8"), ("Latin-1", "latin-1"), ("windows-1252", "cp1252")])
def test_encodings_have_their_usual_spellings(written: str, meant: str) -> None:
    assert format_settings(job(encoding=written)).encoding == meant


def test_a_misspelt_key_is_refused_with_the_likely_one_and_all_that_exist() -> None:
    with pytest.raises(UsageError) as caught:
        format_settings(job(delimeter="tab"))
    assert "[jobs.sales.format] delimeter" in caught.value.message
    assert "Did you mean 'delimiter'?" in caught.value.advice
    assert "max_record_mib" in caught.value.advice


@pytest.mark.parametrize(
    ("section", "allowed"),
    [
        ({"quote": '""'}, "one ASCII character"),
        ({"escape": "ä"}, "one ASCII character"),
        ({"header": "maybe"}, "true, false"),
        ({"header": 1}, "true, false"),
        ({"encoding": "ebcdic"}, "cp1252"),
        ({"skip_lines": -1}, "0 or more"),
        ({"skip_lines": "2"}, "whole number"),
        ({"null_values": "NA"}, "list of texts"),
        ({"date_format": "dd.mm.yyyy"}, "strptime"),
        ({"max_record_mib": 0}, "1 to 1024"),
        ({"delimiter": "\n"}, "without line ends"),
        ({"undeclared": "drop"}, "infer, error"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_what_is_allowed(section: dict[str, object], allowed: str) -> None:
    with pytest.raises(UsageError) as caught:
        format_settings(job(**section))
    assert f"[jobs.sales.format] {next(iter(section))}" in caught.value.message
    assert allowed in caught.value.advice


@pytest.mark.parametrize("section", [{"delimiter": '"', "quote": '"'}, {"quote": "'", "escape": "'"}])
def test_one_character_cannot_have_two_meanings(section: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"\[jobs.sales.format\]"):
        format_settings(job(**section))


def test_nothing_declared_leaves_everything_to_detection() -> None:
    settings = format_settings(job())
    assert (settings.delimiter, settings.quote, settings.header, settings.encoding) == (None, None, "auto", "auto")
