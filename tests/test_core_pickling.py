"""What rests between the attempts of a run is read by later versions, too, or said to be another version's."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

import pytest

from etl_framework import Finding, Job, PackedPart, Part, Sample, Severity, TableName
from etl_framework.errors import UnreadableRun
from etl_framework.pickling import pickled, unpickled

frozen = partial(dataclass, frozen=True, slots=True, kw_only=True)


@frozen
class Found:
    """As an earlier version has it."""

    rule: str


@frozen
class FoundKey(Found):
    """A plugin's, of that version."""

    key: int


@frozen
class LaterFound:
    rule: str
    cause: str = ""
    also: list[str] = field(default_factory=list)


@frozen
class LaterFoundKey(LaterFound):
    key: int


@frozen
class StricterFound:
    rule: str
    severity: str


@frozen
class NumberedFound:
    number: int = 0


class Mode(StrEnum):
    APPEND = "append"


class LaterMode(StrEnum):
    REPLACE = "replace"


@frozen
class Counted:
    """Has a way of its own to be pickled."""

    number: int

    def __reduce__(self) -> Any:
        return partial(Counted, number=self.number + 1), ()


def later(monkeypatch: pytest.MonkeyPatch, **classes: type) -> None:
    """Have classes of a later version in the places of those that were pickled."""
    for name, kind in classes.items():
        monkeypatch.setitem(globals(), name, kind)


def test_values_are_read_as_they_were_written() -> None:
    sample = Sample(file="s.csv", line=2, value="x")
    finding = Finding(rule="r", severity=Severity.ERROR, count=1, message="m", samples=(sample,), cause="c")
    job = Job(name="j", patterns=("s",), table=TableName.parse("t"), target="duckdb:w")
    for value in (finding, job, [finding, finding], {"a": (job, None)}, 1.5):
        assert unpickled(pickled(value), "r1") == value
    assert unpickled(pickled(Counted(number=1)), "r1") == Counted(number=2)


def test_what_earlier_versions_wrote_by_position_is_read() -> None:
    part = Part(number=1, source=0, start=0, end=10)
    assert unpickled(pickle.dumps(part), "r1") == part


def test_a_field_that_a_later_version_adds_has_its_default_and_moves_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickled((Found(rule="r"), FoundKey(rule="s", key=7)))
    later(monkeypatch, Found=LaterFound, FoundKey=LaterFoundKey)
    assert unpickled(data, "r1") == (LaterFound(rule="r"), LaterFoundKey(rule="s", key=7))


@pytest.mark.parametrize(
    ("kind", "why"),
    [(StricterFound, "StricterFound wants 'severity'"), (NumberedFound, "NumberedFound has no 'rule'")],
)
def test_a_value_that_a_later_version_cannot_complete_is_another_version_s(
    monkeypatch: pytest.MonkeyPatch, kind: type, why: str
) -> None:
    data = pickled(Found(rule="r"))
    later(monkeypatch, Found=kind)
    with pytest.raises(UnreadableRun, match=f"run r1 was written down by another version .*{why}"):
        unpickled(data, "r1")


def test_a_choice_that_a_later_version_does_not_have_is_another_version_s(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickled(Mode.APPEND)
    later(monkeypatch, Mode=LaterMode)
    with pytest.raises(UnreadableRun, match="'append' is not a valid"):
        unpickled(data, "r1")


def test_classes_of_values_travel_as_themselves() -> None:
    assert unpickled(pickled((Found, PackedPart)), "r1") == (Found, PackedPart)
