"""The checks of ``quality.py`` as other tools make them, each as its documentation does it; run by their Python.

python quality_peers.py polars|pandas|great_expectations|frictionless FILE

The first two are pandera, on the one backend and on the other.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Any

INTEGERS = ("l_orderkey", "l_partkey", "l_suppkey", "l_linenumber")
NUMBERS = ("l_quantity", "l_extendedprice", "l_discount", "l_tax")
DATES = ("l_shipdate", "l_commitdate", "l_receiptdate")
TEXTS = ("l_returnflag", "l_linestatus", "l_shipinstruct", "l_shipmode", "l_comment")
COLUMNS = (*INTEGERS, *NUMBERS, "l_returnflag", "l_linestatus", *DATES, "l_shipinstruct", "l_shipmode", "l_comment")

BOUNDS = {
    "l_orderkey": (1, None),
    "l_partkey": (1, None),
    "l_suppkey": (1, None),
    "l_linenumber": (1, 7),
    "l_quantity": (1, 50),
    "l_extendedprice": (900, None),
    "l_discount": (0, 0.1),
    "l_tax": (0, 0.08),
    **dict.fromkeys(DATES, (date(1992, 1, 1), date(1998, 12, 31))),
}
SETS = {
    "l_returnflag": ["A", "N", "R"],
    "l_linestatus": ["F", "O"],
    "l_shipmode": ["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"],
}
PATTERN = "^[A-Z ]+$"


def with_polars(path: str) -> None:
    """Pandera on polars, of a file that polars reads with these types."""
    import pandera.polars as pa
    import polars as pl

    kinds = {
        **dict.fromkeys(INTEGERS, pl.Int64),
        **dict.fromkeys(NUMBERS, pl.Float64),
        **dict.fromkeys(DATES, pl.Date),
        **dict.fromkeys(TEXTS, pl.String),
    }
    rules = [
        pa.Check(lambda data: data.lazyframe.select(pl.col("l_receiptdate") > pl.col("l_shipdate"))),
        pa.Check(lambda data: data.lazyframe.select(pl.col("l_extendedprice") >= 900 * pl.col("l_quantity"))),
    ]
    frame = pl.read_csv(path, schema={name: kinds[name] for name in COLUMNS})
    _schema(pa, kinds, BOUNDS, rules).validate(frame, lazy=True)


def with_pandas(path: str) -> None:
    """Pandera on pandas, of a file that pandas reads with these types by Arrow."""
    import pandas as pd
    import pandera.pandas as pa

    kinds = {**dict.fromkeys(INTEGERS, "int64"), **dict.fromkeys(NUMBERS, "float64")}
    frame = pd.read_csv(path, engine="pyarrow", dtype=kinds, parse_dates=list(DATES))
    rules = [
        pa.Check(lambda rows: rows.l_receiptdate > rows.l_shipdate),
        pa.Check(lambda rows: rows.l_extendedprice >= 900 * rows.l_quantity),
    ]
    days = dict.fromkeys(DATES, tuple(map(pd.Timestamp, BOUNDS["l_shipdate"])))
    kinds |= frame[list(DATES)].dtypes.astype(str)
    _schema(pa, kinds, {**BOUNDS, **days}, rules).validate(frame, lazy=True)


def _schema(pa: Any, kinds: dict[str, Any], bounds: dict[str, Any], rules: list[Any]) -> Any:
    def column(name: str) -> Any:
        low, high = bounds.get(name, (None, None))
        checks = [pa.Check.ge(low)] if low is not None else []
        checks += [pa.Check.le(high)] if high is not None else []
        checks += [pa.Check.isin(SETS[name])] if name in SETS else []
        checks += [pa.Check.str_matches(PATTERN)] if name == "l_shipinstruct" else []
        return pa.Column(kinds.get(name), checks, nullable=name not in bounds)

    return pa.DataFrameSchema({name: column(name) for name in COLUMNS}, checks=rules)


def with_great_expectations(path: str) -> None:
    """On pandas, of a file that pandas reads with these types by Arrow; its second rule is a column of its own."""
    import great_expectations as gx
    import pandas as pd
    from great_expectations import expectations as gxe

    kinds = {**dict.fromkeys(INTEGERS, "int64"), **dict.fromkeys(NUMBERS, "float64")}
    frame = pd.read_csv(path, engine="pyarrow", dtype=kinds, parse_dates=list(DATES))
    frame["price_of_a_part"] = frame.l_extendedprice >= 900 * frame.l_quantity
    asked = [gxe.ExpectColumnValuesToBeOfType(column=name, type_=kind) for name, kind in kinds.items()]
    for name, (low, high) in BOUNDS.items():
        bounds = [None if bound is None else pd.Timestamp(bound) if name in DATES else bound for bound in (low, high)]
        asked.append(gxe.ExpectColumnValuesToNotBeNull(column=name))
        asked.append(gxe.ExpectColumnValuesToBeBetween(column=name, min_value=bounds[0], max_value=bounds[1]))
    asked += [gxe.ExpectColumnValuesToBeInSet(column=name, value_set=values) for name, values in SETS.items()]
    asked += [
        gxe.ExpectColumnValuesToMatchRegex(column="l_shipinstruct", regex=PATTERN),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="l_receiptdate", column_B="l_shipdate"),
        gxe.ExpectColumnValuesToBeInSet(column="price_of_a_part", value_set=[True]),
    ]
    context = gx.get_context(mode="ephemeral")
    rows = context.data_sources.add_pandas("peer").add_dataframe_asset("rows")
    batch = rows.add_batch_definition_whole_dataframe("rows").get_batch({"dataframe": frame})
    result = batch.validate(gx.ExpectationSuite(name="lineitem", expectations=asked), result_format="SUMMARY")
    wrong = [(one.expectation_config.type, one.exception_info) for one in result.results if not one.success]
    assert not wrong, wrong


def with_frictionless(path: str) -> None:
    """Row by row, as it streams the file."""
    from frictionless import Checklist, Resource, Schema, fields, validate
    from frictionless.checks import row_constraint

    kinds = {
        **dict.fromkeys(INTEGERS, fields.IntegerField),
        **dict.fromkeys(NUMBERS, fields.NumberField),
        **dict.fromkeys(DATES, fields.DateField),
        **dict.fromkeys(TEXTS, fields.StringField),
    }

    def constraints(name: str) -> dict[str, object]:
        low, high = BOUNDS.get(name, (None, None))
        given = {"required": name in BOUNDS, "minimum": low, "maximum": high, "enum": SETS.get(name)}
        given["pattern"] = "[A-Z ]+" if name == "l_shipinstruct" else None
        return {key: value for key, value in given.items() if value}

    schema = Schema(fields=[kinds[name](name=name, constraints=constraints(name)) for name in COLUMNS])
    rules = [
        row_constraint(formula="l_receiptdate > l_shipdate"),
        row_constraint(formula="l_extendedprice >= 900 * l_quantity"),
    ]
    # A path must be relative to be trusted.
    resource = Resource(path=Path(path).name, basepath=str(Path(path).parent), schema=schema)
    report = validate(resource, checklist=Checklist(checks=rules))
    assert report.valid, report.flatten(["rowNumber", "type", "note"])[:5]


if __name__ == "__main__":
    {
        "polars": with_polars,
        "pandas": with_pandas,
        "great_expectations": with_great_expectations,
        "frictionless": with_frictionless,
    }[sys.argv[1]](sys.argv[2])
