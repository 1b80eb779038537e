"""What a statement answers, in the shape that travels to the driver."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

SELECT, INSERT, COPY, SHOW, DDL, OTHER = 0x1000, 0x3100, 0x3600, 0x4400, 0x6000, 0x4000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Result:
    """The `data` member of a query's answer, and how many rows it says."""

    data: dict[str, Any]
    rows: int = 0
    bytes_scanned: int = 0


def column(
    name: str, kind: str = "text", *, precision: int = 38, scale: int = 0, nullable: bool = True
) -> dict[str, Any]:
    """A column of a result, as the driver expects to be told."""
    text = kind == "text"
    fixed = kind == "fixed"
    return {
        "name": name,
        "database": "",
        "schema": "",
        "table": "",
        "nullable": nullable,
        "type": kind,
        "byteLength": 16777216 if text else None,
        "length": 16777216 if text else None,
        "precision": precision if fixed else 0 if kind.startswith("time") else None,
        "scale": scale if fixed else 9 if kind.startswith("time") else None,
        "collation": None,
    }


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "1" if value else "0"
        case datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            return f"{Decimal((moment - _EPOCH).total_seconds()).quantize(Decimal('0.000001'))}000"
    return str(value)


def rows(columns: Sequence[str | tuple[str, str]], values: Iterable[Sequence[object]], kind: int = SELECT) -> Result:
    """A result of rows.

    :param columns: names, or pairs of name and Snowflake type (text when only a name).
    :param kind: the statement type id.
    """
    described = [column(c) if isinstance(c, str) else column(*c) for c in columns]
    rowset = [[_text(v) for v in row] for row in values]
    return Result(
        {
            "rowtype": described,
            "rowset": rowset,
            "total": len(rowset),
            "returned": len(rowset),
            "queryResultFormat": "json",
            "statementTypeId": kind,
        },
        rows=len(rowset),
    )


def status(message: str, kind: int = DDL) -> Result:
    """The one-row answer of a statement that returns no data."""
    return rows(["status"], [[message]], kind)
