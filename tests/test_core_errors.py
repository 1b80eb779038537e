"""Errors: what they say, where they go, how they travel."""

from __future__ import annotations

import copy
import pickle

import pytest

import etl_framework
from etl_framework import (
    CommittedWrongly,
    ConfigError,
    ConnectError,
    EtlError,
    ExitCode,
    HookFailed,
    InputError,
    Interrupted,
    Locked,
    NoPluginError,
    NoSuchColumn,
    PluginError,
    PluginLoadError,
    QueryFailed,
    ReconciliationError,
    Refused,
    RunFailed,
    SourceChanged,
    SourceDamaged,
    UsageError,
)

EXIT_CODES: dict[type[EtlError], int] = {
    EtlError: 1,
    RunFailed: 1,
    QueryFailed: 1,
    ReconciliationError: 1,
    CommittedWrongly: 1,
    UsageError: 2,
    ConfigError: 2,
    NoSuchColumn: 2,
    InputError: 3,
    SourceChanged: 3,
    SourceDamaged: 3,
    Refused: 3,
    PluginError: 4,
    PluginLoadError: 4,
    HookFailed: 4,
    NoPluginError: 4,
    ConnectError: 5,
    Interrupted: 6,
    Locked: 7,
}


@pytest.mark.parametrize("kind", EXIT_CODES, ids=lambda kind: kind.__name__)
def test_every_error_has_the_exit_code_of_what_the_caller_does_next(kind: type[EtlError]) -> None:
    assert kind.exit_code is ExitCode(EXIT_CODES[kind])


def test_no_error_is_left_out_of_the_list_above() -> None:
    offered = {getattr(etl_framework, name) for name in etl_framework.__all__}
    assert EXIT_CODES.keys() == {thing for thing in offered if isinstance(thing, type) and issubclass(thing, EtlError)}


@pytest.mark.parametrize("kind", EXIT_CODES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_type_message_advice_and_notes(kind: type[EtlError], protocol: int) -> None:
    error = kind("what, where", advice="Do this.")
    error.add_note("seen in a worker")
    there = pickle.loads(pickle.dumps(error, protocol))
    assert type(there) is kind
    assert (there.message, there.advice, there.args) == ("what, where", "Do this.", error.args)
    assert there.__notes__ == ["seen in a worker"]
    assert str(there) == str(error) == "what, where\nDo this."


def test_a_changed_advice_survives_copying() -> None:
    error = RunFailed("failed")
    error.advice = "Go on with `etl resume`."
    assert str(copy.copy(error)) == "failed\nGo on with `etl resume`."


def test_an_error_without_advice_says_only_what_failed() -> None:
    assert str(EtlError("failed")) == "failed"


def test_an_error_belongs_to_no_run_until_it_ends_one() -> None:
    error = Refused("no")
    assert error.report is None
    error.__dict__["report"] = "a report"
    assert pickle.loads(pickle.dumps(error)).report == "a report"
    assert Refused("no").report is None
