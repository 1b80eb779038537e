"""Settlements are in currencies that Acme settles, balance, and each ISIN has one currency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_framework import UsageError, key_check, row_check, total_check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from etl_framework import Validator

SETTLED = ("CHF", "EUR", "GBP", "USD")


def settled(settings: Mapping[str, object]) -> Sequence[str]:
    """The currencies, as ``[jobs.NAME.settlements]`` says; without it, Acme settles :data:`SETTLED`.

    :raises UsageError: they are no list of texts, or something else is said, too.
    """
    for key in settings.keys() - {"currencies"}:
        raise UsageError(
            f"settlements.{key} is not a known key", advice="Write currencies = […].", key=f"settlements.{key}"
        )
    currencies = settings.get("currencies", SETTLED)
    if not isinstance(currencies, list | tuple) or not all(isinstance(currency, str) for currency in currencies):
        raise UsageError(
            f"settlements.currencies: {currencies!r} is no list of currencies",
            advice='Write currencies = ["EUR", "USD"].',
            key="settlements.currencies",
        )
    return currencies


def checks(settings: Mapping[str, object]) -> Iterable[Validator]:
    """The checks of settlements.

    :raises UsageError: the settings are wrong.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    currencies = settled(settings)
    known = pa.array(currencies, pa.string())
    yield row_check(
        "settled_currency",
        lambda batch: pc.is_in(batch["currency"], known),
        column="currency",
        reason=f"Acme does not settle it, but {', '.join(currencies)}",
        advice="Ask the desk that booked it.",
    )
    yield total_check(
        "balanced",
        {"debit": ("debit", "sum"), "credit": ("credit", "sum")},
        lambda total: total["debit"] == total["credit"],
        reason="debit and credit differ",
    )
    yield key_check(
        "one_currency",
        "isin",
        {"first": ("currency", "min"), "last": ("currency", "max")},
        lambda isins: pc.equal(isins["first"], isins["last"]),
        reason="more than one currency",
    )
