"""A first run: a month of a small chain's sales, made up but realistic, with the configuration to load it."""

from __future__ import annotations

import csv
import io
import os
import random
from bisect import bisect
from itertools import accumulate
from typing import TYPE_CHECKING

from etl_framework.errors import UsageError
from etl_framework.periods import Period

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

PERIOD = Period.parse("2026-01")

CONFIG = """\
# A month of made-up sales, one file a day. Change anything here, or break a line of the data, and see what happens:
#   etl plan sales      etl load sales      etl runs list

[targets.demo]
url = "duckdb:demo.duckdb"

[jobs.sales]
source = "data/sales_{date}.csv"
table = "sales"
target = "demo"
mode = "replace-period"       # loading a month again replaces it
period = "2026-01"
date_column = "sale_date"
keys = ["sale_id"]

[jobs.sales.columns]
sale_id = "bigint not null"
sold_at = "timestamp not null"
sale_date = "date not null"
store = "varchar not null"
product = "varchar not null"
quantity = "integer not null"
unit_price = "decimal(10,2) not null"
currency = "varchar(3) not null"
customer_email = "varchar"
note = "varchar"
"""

_HEADER = "sale_id,sold_at,sale_date,store,product,quantity,unit_price,currency,customer_email,note\n"
_STORES = {
    "Lisboa Chiado": "EUR",
    "Wien Mitte": "EUR",
    "Köln Süd": "EUR",
    "København": "DKK",
    "Zürich HB": "CHF",
    "Leeds": "GBP",
}
_PRODUCTS = {
    "espresso beans 1 kg": 1890,
    "filter paper, 100 sheets": 449,
    'moka pot 6 cups, 3.5"': 3295,
    "milk jug": 1590,
    "cup and saucer": 1250,
    "descaler": 799,
    "grinder": 12900,
    "espresso machine": 64900,
}
_POPULARITY = list(accumulate((30, 25, 6, 9, 16, 10, 3, 1)))
_NOTES = [
    "gift wrap, please",
    'customer asked for "the blue one"',
    "Deliver to:\nHauptstraße 5, 2nd floor",
    "paid in two parts; first by card",
    "exchange",
]
_ROWS_PER_DAY = 1_900
_OPEN_SECONDS = 11 * 3600
_DISCOUNTED = 0.1
_KNOWN_CUSTOMERS = 0.6
_NOTED = 0.04


def write_demo(folder: Path) -> Path:
    """Write the demo: ``etl.toml`` and 31 daily files of about 60,000 rows, always the same.

    Writing it again where it already is changes nothing.

    :param folder: new, empty, or a demo written before.
    :returns: the path of ``etl.toml``.
    :raises UsageError: the folder holds anything else, or a file of the demo was changed; nothing is written.
    """
    config = folder / "etl.toml"
    _refuse_foreign(folder, config)
    files = {config: CONFIG.encode(), **{folder / "data" / name: data for name, data in _daily_files().items()}}
    missing = {path: content for path, content in files.items() if not path.exists()}
    for path in files.keys() - missing.keys():
        if path.read_bytes() != files[path]:
            raise UsageError(f"{path} was changed, and the demo does not overwrite it", advice="Use another folder.")
    try:
        for path, content in missing.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.draft")
            draft.write_bytes(content)
            os.replace(draft, path)  # noqa: PTH105 - the demo is read by this very name or not at all
    except OSError as error:
        raise UsageError(
            f"cannot write the demo to {folder}: {error.strerror}", advice="Use another folder."
        ) from error
    return config


def _refuse_foreign(folder: Path, config: Path) -> None:
    try:
        occupied = folder.exists() and any(folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder} is no folder for a demo: {error.strerror}", advice="Use another folder.") from error
    if occupied and not config.is_file():
        raise UsageError(f"{folder} holds files that are not the demo's", advice="Use a new or an empty folder.")


def _daily_files() -> dict[str, bytes]:
    chance = random.Random(20260101)  # noqa: S311 - the same data for everybody
    files = {}
    sale = 100_000
    for day in PERIOD.days():
        # Saturdays sell more, Sundays less.
        rows = int(_ROWS_PER_DAY * {5: 1.5, 6: 0.6}.get(day.weekday(), 1.0) * chance.uniform(0.9, 1.1))
        files[f"sales_{day}.csv"] = _day(chance, day, sale, rows)
        sale += rows
    return files


def _day(chance: random.Random, day: date, first_sale: int, rows: int) -> bytes:
    text = io.StringIO()
    text.write(_HEADER)
    writer = csv.writer(text, lineterminator="\n")
    stores, products = tuple(_STORES), tuple(_PRODUCTS)
    draw = chance.random
    for number, second in enumerate(sorted(int(draw() * _OPEN_SECONDS) for _ in range(rows))):
        store = stores[int(draw() ** 1.5 * len(stores))]
        product = products[bisect(_POPULARITY, draw() * _POPULARITY[-1])]
        cents = _PRODUCTS[product]
        if draw() < _DISCOUNTED:
            cents -= cents // 10
        writer.writerow(
            (
                first_sale + number,
                f"{day} {8 + second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}",
                day,
                store,
                product,
                1 + int(draw() ** 4 * 6),
                f"{cents // 100}.{cents % 100:02d}",
                _STORES[store],
                f"customer{int(draw() * 9_000) + 1_000}@example.com" if draw() < _KNOWN_CUSTOMERS else "",
                _NOTES[int(draw() * len(_NOTES))] if draw() < _NOTED else "",
            )
        )
    return text.getvalue().encode()
