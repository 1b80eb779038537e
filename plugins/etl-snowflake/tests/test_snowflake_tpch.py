"""All tables of TPC-H from one configuration into the emulated account; its own queries give what the files give."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etl_framework import RunReport, Severity, Status, load

GENERATOR = Path(sys.executable).with_name("tpchgen-cli")

# Columns that are not declared are inferred.
CONFIG = """
[targets.prod]
url = "snowflake:test"

[defaults]
target = "prod"

[jobs.customer]
source = "data/customer.csv"
table = "CUSTOMER"
columns = { c_acctbal = "decimal(12,2)", c_phone = "varchar" }
keys = ["c_custkey"]
mode = "merge"

[jobs.lineitem]
source = "data/lineitem.csv"
table = "LINEITEM"
columns = { l_quantity = "decimal(12,2)", l_extendedprice = "decimal(12,2)", l_discount = "decimal(12,2)", l_tax = "decimal(12,2)", l_shipdate = "date" }
date_column = "l_shipdate"
keys = ["l_orderkey", "l_linenumber"]
mode = "replace-period"
check = "both"

[jobs.lineitem.checks]
duplicates = "error"
daily_rows = { drop = 0.5, spike = 3.0, severity = "warning" }

[jobs.lineitem.checks.columns]
l_quantity = { not_null = true, min = 1, max = 50 }
l_discount = { min = 0, max = 0.1 }
l_returnflag = { allowed = ["A", "N", "R"] }
l_shipdate = { min = "1992-01-02", max = "1998-12-01" }

[[jobs.lineitem.rules]]
name = "shipped_before_received"
sql = "l_shipdate < l_receiptdate"

[jobs.nation]
source = "data/nation.csv"
table = "NATION"

[jobs.orders]
source = "data/orders.csv"
table = "ORDERS"
columns = { o_totalprice = "decimal(12,2)", o_orderdate = "date" }
date_column = "o_orderdate"
mode = "replace-period"
check = "both"

[jobs.orders.checks]
duplicates = { keys = "o_orderkey" }
daily_rows = "warning"

[jobs.orders.checks.columns]
o_orderstatus = { length = 1, allowed = ["F", "O", "P"] }
o_orderpriority = { regex = "[1-5]-[A-Z ]+" }

[[jobs.orders.rules]]
name = "every_order_has_a_price"
sql = "min(o_totalprice) > 0 AND count(o_totalprice) = count(*)"

[jobs.part]
source = "data/part.csv"
table = "PART"
columns = { p_retailprice = "decimal(12,2)" }
mode = "replace"

[jobs.partsupp]
source = "data/partsupp.csv"
table = "PARTSUPP"
columns = { ps_supplycost = "decimal(12,2)" }

[jobs.partsupp.snowflake]
publish = "direct"

[jobs.region]
source = "data/region.csv"
table = "REGION"

[jobs.supplier]
source = "data/supplier.csv"
table = "SUPPLIER"
columns = { s_acctbal = "decimal(12,2)", s_phone = "varchar" }
"""  # noqa: E501 - an inline table of TOML is one line

DATE_COLUMNS = {"lineitem": "l_shipdate", "orders": "o_orderdate"}
TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")

QUERIES = {
    "pricing summary (Q1)": """
        SELECT l_returnflag, l_linestatus, SUM(l_quantity), SUM(l_extendedprice),
            SUM(l_extendedprice * (1 - l_discount)), COUNT(*)
        FROM lineitem WHERE l_shipdate <= CAST('1998-09-02' AS DATE)
        GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus""",
    "local supplier volume (Q5)": """
        SELECT n_name, SUM(l_extendedprice * (1 - l_discount)) AS revenue
        FROM customer, orders, lineitem, supplier, nation, region
        WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND l_suppkey = s_suppkey
            AND c_nationkey = s_nationkey AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey
            AND r_name = 'ASIA' AND o_orderdate >= CAST('1994-01-01' AS DATE)
            AND o_orderdate < CAST('1995-01-01' AS DATE)
        GROUP BY n_name ORDER BY revenue DESC""",
    "important stock (Q11)": """
        SELECT ps_partkey, SUM(ps_supplycost * ps_availqty) AS worth
        FROM partsupp, part, supplier, nation
        WHERE ps_suppkey = s_suppkey AND ps_partkey = p_partkey AND s_nationkey = n_nationkey AND n_name = 'GERMANY'
        GROUP BY ps_partkey ORDER BY worth DESC, ps_partkey LIMIT 100""",
}


@pytest.mark.soak
def test_all_tables_are_loaded_from_one_configuration_and_answer_as_the_files_do(
    target: str,
    connect: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    full_campaign: bool,
) -> None:
    scale = "1" if full_campaign else "0.01"
    monkeypatch.chdir(tmp_path)
    Path("etl.toml").write_text(CONFIG)
    subprocess.run([GENERATOR, "csv", "-s", scale, "--output-dir", "data"], check=True, capture_output=True)
    expected = duckdb.connect()
    for table in TABLES:
        expected.execute(f"CREATE VIEW {table} AS FROM read_csv('data/{table}.csv', types={decimals(table)})")
    for table in TABLES:
        period = {"period": "1992-01..1998-12"} if table in DATE_COLUMNS else {}
        report = load(job=table, **period)
        assert (report.status, report.reconciled, report.counted_only) == (Status.DONE, True, False), table
        assert found_on_both_sides(report) == (poor_days(expected, table) if table in DATE_COLUMNS else 0), table
    cursor = connect().cursor()
    for name, query in QUERIES.items():
        found = [plain(row) for row in cursor.execute(query).fetchall()]
        assert found == [plain(row) for row in expected.execute(query).fetchall()], name
        assert found, name


def found_on_both_sides(report: RunReport) -> int:
    """How many days are severely low: the one kind of finding, but for notes and days less unlike the others."""
    found = [finding for finding in report.findings if finding.severity is not Severity.INFO]
    assert {(finding.rule, finding.severity) for finding in found} <= {("daily_rows", Severity.WARNING)}
    assert all("(in the sources and in the warehouse)" in finding.message for finding in found)
    return sum(finding.count for finding in found if "severely low" in finding.message)


def poor_days(files: duckdb.DuckDBPyConnection, table: str) -> int:
    """The days of the period on which there are less than a tenth of the rows of a day, by the files."""
    column = DATE_COLUMNS[table]
    query = f"""
        WITH days AS (SELECT * FROM range(DATE '1992-01-01', DATE '1999-01-01', INTERVAL 1 DAY) AS r(day)),
            counted AS (SELECT day, COUNT({column}) AS n FROM days LEFT JOIN {table} ON day = {column} GROUP BY day)
        SELECT COUNT(*) FROM counted WHERE n < (SELECT AVG(n) FROM counted) / 10"""
    [(count,)] = files.execute(query).fetchall()
    assert count > 0
    return int(count)


def decimals(table: str) -> dict[str, str]:
    """The columns that a query adds up, which DuckDB would take for floating point numbers."""
    names = {
        "customer": ["c_acctbal"],
        "lineitem": ["l_quantity", "l_extendedprice", "l_discount", "l_tax"],
        "partsupp": ["ps_supplycost"],
    }
    return dict.fromkeys(names.get(table, []), "DECIMAL(12,2)")


def plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Numbers by their value, whatever their type."""
    return tuple(Decimal(value) if isinstance(value, int | Decimal) else value for value in row)
