"""What checks hand over: findings and figures that can be counted, shown and stored, or the check is broken."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING

from etl_framework.protocols import Measuring, Naming
from etl_framework.values import Finding, Sample, Severity

if TYPE_CHECKING:
    from etl_framework.protocols import TableCheck, Validator
    from etl_framework.values import Figure


def sound_findings(answer: Iterable[object], parts: Container[int] = ()) -> tuple[Finding, ...]:
    """The findings that a check gave; call it within ``blaming``.

    :param parts: numbers of the parts that it saw; none of a check of a table.
    :raises TypeError: one is no finding, or holds what no report can show.
    :raises ValueError: one counts less than nothing, has neither rule nor message, or lies in a part that is not there.
    """
    return tuple(_sound(finding, parts) for finding in answer)


def rules_of(check: Validator | TableCheck) -> tuple[str, ...]:
    """The names of the rules that a check makes: its own, where it tells no others; call it within ``blaming``.

    :raises TypeError: what it tells are no names.
    """
    names: object = check.rule_names if isinstance(check, Naming) else (check.name,)
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError(f"rule_names is {names!r} instead of a list of names")
    told = tuple(dict.fromkeys(names))
    for name in told:
        _insist(name, "a name in rule_names", str)
    return told


def sound_measures(check: object) -> dict[str, Figure]:
    """The figures that a check gives, where it measures any; call it within ``blaming``.

    :raises TypeError: they are no numbers by name.
    """
    if not isinstance(check, Measuring):
        return {}
    figures: object = check.measures()
    if not isinstance(figures, Mapping):
        raise TypeError(f"measures() gave {type(figures).__qualname__} instead of figures by name")
    for name, figure in figures.items():
        if not isinstance(name, str) or not isinstance(figure, int | float | None):
            raise TypeError(f"measures() gave {name!r}: {figure!r}, which is no number with a name")
    return dict(figures)


def _sound(finding: object, parts: Container[int]) -> Finding:
    if not isinstance(finding, Finding):
        raise TypeError(f"it gave {type(finding).__qualname__} instead of Finding")
    _insist(finding.rule, "the rule", str)
    _insist(finding.severity, f"{finding.rule}: the severity", Severity)
    _insist(finding.count, f"{finding.rule}: the count", int)
    _insist(finding.message, f"{finding.rule}: the message", str)
    _insist(finding.advice, f"{finding.rule}: the advice", str)
    _insist(finding.samples, f"{finding.rule}: samples", tuple)
    _insist(finding.cause, f"{finding.rule}: the cause", str)
    _insist(finding.also, f"{finding.rule}: also", tuple)
    for rule in finding.also:
        _insist(rule, f"{finding.rule}: a rule of also", str)
    if not finding.rule or not finding.message or finding.count < 0:
        raise ValueError(f"it gave {finding!r}, which wants a rule, a message and a count of 0 or more")
    for sample in finding.samples:
        _insist(sample, f"{finding.rule}: a sample", Sample)
        _insist(sample.reason, f"{finding.rule}: the reason of a sample", str)
        for name in ("file", "column", "value"):
            _insist(getattr(sample, name), f"{finding.rule}: the {name} of a sample", str, type(None))
        for name in ("line", "offset", "part"):
            _insist(getattr(sample, name), f"{finding.rule}: the {name} of a sample", int, type(None))
        if sample.part is not None and sample.part not in parts:
            raise ValueError(f"{finding.rule}: a sample lies in part {sample.part}, which it was never shown")
    return finding


def _insist(value: object, what: str, *kinds: type) -> None:
    if not isinstance(value, kinds):
        raise TypeError(f"{what} is {value!r}: {type(value).__qualname__} instead of {kinds[0].__qualname__}")
