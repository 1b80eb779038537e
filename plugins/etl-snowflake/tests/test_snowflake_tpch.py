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

from etl_framework import Status, load

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

[jobs.nation]
source = "data/nation.csv"
table = "NATION"

[jobs.orders]
source = "data/orders.csv"
table = "ORDERS"
columns = { o_totalprice = "decimal(12,2)", o_orderdate = "date" }
date_column = "o_orderdate"
mode = "replace-period"

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

DATED = ("lineitem", "orders")
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
    for table in TABLES:
        period = {"period": "1992-01..1998-12"} if table in DATED else {}
        report = load(job=table, **period)
        assert (report.status, report.reconciled, report.counted_only) == (Status.DONE, True, False), table
    expected = duckdb.connect()
    for table in TABLES:
        expected.execute(f"CREATE VIEW {table} AS FROM read_csv('data/{table}.csv', types={decimals(table)})")
    cursor = connect().cursor()
    for name, query in QUERIES.items():
        found = [plain(row) for row in cursor.execute(query).fetchall()]
        assert found == [plain(row) for row in expected.execute(query).fetchall()], name
        assert found, name


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
