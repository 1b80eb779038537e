"""What is said of a rule about figures of all rows, and of one that could not be made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from etl_framework import NO_ROWS, Finding, Severity

if TYPE_CHECKING:
    from etl_quality.rules import Rule


def of_figures(rule: Rule, verdict: bool | None, figures: Sequence[object]) -> Iterator[Finding]:
    """The finding of a rule about figures, when it does not hold.

    :param verdict: None where the condition is neither true nor false, which is never good enough.
    :param figures: those of the rule, in its order.
    """
    if verdict:
        return
    found = zip(rule.expression.figures, figures, strict=True)
    told = ", ".join(f"{figure.said.lower()} = {_shown(value)}" for figure, value in found)
    # Sums of nothing are unknown, and counts of it 0: where there are rows at all, that is the rule's own matter.
    of_nothing = verdict is None and not any(value for value in figures)
    wrong = rule.words.reason if not rule.words.reason.startswith("breaks ") else f"not {rule.said}"
    said = wrong if verdict is False else f"whether {rule.said} cannot be told"
    yield Finding(
        rule=rule.words.rule,
        severity=rule.words.severity,
        count=1,
        message=f"{said}: {told}",
        advice=rule.words.advice,
        cause=NO_ROWS if of_nothing else "",
    )


def not_made(rule: Rule, reason: str) -> Finding:
    """The finding of a rule that failed itself: nobody knows whether the data are good."""
    return Finding(
        rule=rule.words.rule,
        severity=Severity.ERROR,
        count=1,
        message=f"the check could not be made: {rule.said}: {reason}",
        advice="Correct the rule so that it can be asked of every row: see TRY_CAST and NULLIF.",
    )


def not_in_files(rule: Rule) -> Finding:
    """The finding of a rule that only the warehouse can be asked."""
    return Finding(
        rule=rule.words.rule,
        severity=Severity.INFO,
        count=0,
        message=f"{rule.said} was not checked in files: it needs all rows at once",
        advice="The warehouse checks it when the files are loaded, and `etl check TABLE` does at any time.",
    )


def _shown(value: object) -> str:
    if isinstance(value, float):
        value = Decimal(f"{value:.6g}")
    if isinstance(value, Decimal) and value.is_finite():
        # Which of the two zeros is the least or the largest is a matter of the order of rows.
        value = value or Decimal(0)
        text = f"{value:f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
    return "null" if value is None else str(value)
