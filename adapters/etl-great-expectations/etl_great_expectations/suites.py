"""The expectation suite that a job names, of expectations whose verdict on a row needs no other row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

from etl_framework import UsageError

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

    from etl_framework import Job

_KEY = "great_expectations.suite"

_NAMES = """
column_pair_values_a_to_be_greater_than_b column_pair_values_to_be_equal column_pair_values_to_be_in_set
column_value_lengths_to_be_between column_value_lengths_to_equal column_values_to_be_between
column_values_to_be_dateutil_parseable column_values_to_be_in_set column_values_to_be_json_parseable
column_values_to_be_null column_values_to_match_json_schema column_values_to_match_regex
column_values_to_match_regex_list column_values_to_match_strftime_format column_values_to_not_be_in_set
column_values_to_not_be_null column_values_to_not_match_regex column_values_to_not_match_regex_list
multicolumn_sum_to_equal select_column_values_to_be_unique_within_record
"""
OF_ROWS = frozenset(f"expect_{name}" for name in _NAMES.split())
"""Expectations that judge each row by itself, so that what they find of blocks adds up."""


def read_suite(job: Job) -> list[Expectation]:
    """The expectations of the suite that the job's section ``great_expectations`` names.

    :raises UsageError: there is none, or one of them needs more than a row.
    """
    section = job.section("great_expectations")
    for unknown in section.keys() - {"suite"}:
        key = f"great_expectations.{unknown}"
        raise UsageError(f"{key} is not a known key", advice="The key is suite.", key=key)
    named = section.get("suite")
    if not isinstance(named, str) or not named:
        raise UsageError(f"{_KEY} must name a file", advice='Such as "checks/suite.json".', key=_KEY)
    try:
        written = json.loads((job.folder / named).read_text(encoding="utf-8"))
        # Of one with a fault, an ExpectationSuite would only log that it leaves it out.
        expectations = [ExpectationConfiguration(**one).to_domain_obj() for one in written["expectations"]]
    except Exception as error:  # whatever the library raises of what it does not understand
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        advice = "It must be a suite in JSON, as Great Expectations 1 writes it."
        raise UsageError(f"{_KEY}: {named} cannot be read: {said}", advice=advice, key=_KEY) from error
    if not expectations:
        raise UsageError(f"{_KEY}: {named} expects nothing", advice="Give it expectations.", key=_KEY)
    if others := sorted({expectation.expectation_type for expectation in expectations} - OF_ROWS):
        raise UsageError(
            f"{_KEY}: {named} has {', '.join(others)}: rows are judged one by one, block by block",
            advice="Leave it out: the sections checks and rules ask for columns, for unique keys, and for totals.",
            key=_KEY,
        )
    return expectations
