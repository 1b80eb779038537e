"""Deletions in the emulated account: faults, Time Travel, and what the ledger says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from etl_snowflake import etl_connect
from etl_snowflake.deleting import spelt_out
from etl_snowflake.emulator.control import EmulatorControl
from etl_snowflake.warehouse import SnowflakeWarehouse

from etl_framework import PeriodFilter, RangeFilter, RowFilter, RunFailed, Statement, TableName, load

from .conftest import Ask

T = TableName(("t",))
JANUARY = PeriodFilter(column="day", first=date(2024, 1, 1), last=date(2024, 1, 31))


@pytest.fixture
def warehouse(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SnowflakeWarehouse]:
    """An account with the table ``t``: ids 1 and 2 in January, 3 in February."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("id,day\n1,2024-01-01\n2,2024-01-31\n3,2024-02-01\n")
    load("t.csv", target=target)
    warehouse = etl_connect(target)
    assert isinstance(warehouse, SnowflakeWarehouse)
    with closing(warehouse):
        yield warehouse


@pytest.mark.parametrize(
    "sql", ["^BEGIN", "^UPDATE", "^SELECT count", "^DELETE", "^INSERT INTO .*_ETL_LOADS", "^COMMIT"]
)
@pytest.mark.parametrize("action", ["lose_answer", "kill_session", "session_expired", "reset"])
def test_a_deletion_that_is_cut_off_counts_once(
    warehouse: SnowflakeWarehouse, emulator: EmulatorControl, ask: Ask, sql: str, action: str
) -> None:
    emulator.faults({"endpoint": "query", "sql": sql, "action": action, "after": True})
    deletion = warehouse.delete(T, JANUARY, expect=2)
    assert deletion.rows == 2
    assert ask("SELECT ID FROM T") == [(3,)]
    assert ask('SELECT "ROWS_DELETED", "QUERY_ID" FROM _ETL_LOADS WHERE "MODE" = \'delete\'') == [
        (2, deletion.query_id)
    ]


@pytest.mark.parametrize("expect", [2, None])
def test_a_commit_whose_answer_is_lost_with_its_session_is_found_in_the_ledger(
    warehouse: SnowflakeWarehouse, emulator: EmulatorControl, ask: Ask, expect: int | None
) -> None:
    # The driver asks again, by the same request: then its session is gone.
    emulator.faults(
        {"endpoint": "query", "sql": "^COMMIT", "action": "lose_answer"},
        {"endpoint": "query", "sql": "^COMMIT", "action": "kill_session", "nth": 2},
    )
    deletion = warehouse.delete(T, JANUARY, expect=expect)
    assert [sql.split()[0] for sql in emulator.statements()].count("DELETE") == 1
    assert ask("SELECT ROWS_DELETED, QUERY_ID FROM _ETL_LOADS WHERE MODE = 'delete'") == [(2, deletion.query_id)]
    assert (deletion.rows, ask("SELECT ID FROM T")) == (2, [(3,)])


def test_the_ledger_says_what_was_deleted(warehouse: SnowflakeWarehouse, ask: Ask) -> None:
    deletion = warehouse.delete(T, JANUARY)
    found = ask('SELECT "RUN", "JOB", "TABLE_NAME", "FIRST_DAY", "LAST_DAY" FROM _ETL_LOADS WHERE "MODE" = \'delete\'')
    assert found == [(deletion.id, "delete day from 2024-01-01 to 2024-01-31", "T", JANUARY.first, JANUARY.last)]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        (JANUARY, "\"DAY\" BETWEEN TO_DATE('2024-01-01') AND TO_DATE('2024-01-31')"),
        (
            RangeFilter(column="id", first=1, last=1),
            "\"ID\" >= CAST('1' AS NUMBER(38,0)) AND \"ID\" <= CAST('1' AS NUMBER(38,0))",
        ),
        (None, "true"),
    ],
)
def test_the_undo_reads_the_table_as_it_was_before_the_delete(
    warehouse: SnowflakeWarehouse, ask: Ask, where: RowFilter | None, rows: str
) -> None:
    undo = warehouse.delete(T, where).undo
    [(query,)] = ask(
        "SELECT QUERY_ID FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY()) WHERE QUERY_TEXT LIKE 'DELETE FROM %'"
    )
    table = '"DB"."PUBLIC"."T"'
    assert undo == f"INSERT INTO {table} SELECT * FROM {table} BEFORE(STATEMENT => '{query}') WHERE {rows}"


def test_values_are_spelt_out_but_for_question_marks_in_names_and_texts() -> None:
    statement = Statement("""SELECT "a?""b?" FROM t WHERE x = ? AND y = 'it''s?' AND z = ?""", ("it's?", "\\"))
    assert spelt_out(statement) == (r"""SELECT "a?""b?" FROM t WHERE x = 'it\'s?' AND y = 'it''s?' AND z = '\\'""")


def test_what_a_query_may_not_be_is_not_even_begun(warehouse: SnowflakeWarehouse, emulator: EmulatorControl) -> None:
    with pytest.raises(Exception, match="not one query"):
        warehouse.query(Statement("DELETE FROM t"))
    assert not [sql for sql in emulator.statements() if sql.startswith("DELETE")]


def test_a_transaction_that_cannot_be_rolled_back_is_not_committed_by_what_comes_after_it(
    target: str, emulator: EmulatorControl, cursor: Any
) -> None:
    """Snowflake commits an open transaction when the next statement of its session defines something."""
    for name in ("one", "two"):
        cursor.execute(f"CREATE TABLE {name} AS SELECT 1 AS ID")
    emulator.faults(
        {"endpoint": "query", "sql": "^INSERT INTO .*_ETL_LOADS.*ROWS_DELETED", "action": "fail"},
        {"endpoint": "query", "sql": "^ROLLBACK", "action": "fail"},
    )
    with closing(SnowflakeWarehouse(target)) as warehouse:
        with pytest.raises(RunFailed):
            warehouse.delete(TableName(("one",)), None)
        warehouse.delete(TableName(("two",)), None)
    assert cursor.execute("SELECT COUNT(*) FROM one").fetchall() == [(1,)]
    assert cursor.execute("SELECT COUNT(*) FROM two").fetchall() == [(0,)]
