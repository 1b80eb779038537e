"""Every statement that the plugin sends is of Snowflake's dialect, as sqlglot knows it: the emulator may be laxer."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import date
from pathlib import Path
from typing import Any

import etl_snowflake
import pytest
from etl_snowflake.address import Address
from etl_snowflake.connecting import connect as connect_to
from etl_snowflake.emulator.control import EmulatorControl
from etl_snowflake.warehouse import SnowflakeWarehouse
from snowflake.connector.errors import Error as DriverError

import etl_framework
from etl_framework import EtlError, PeriodFilter, RangeFilter, Statement, TableName, Unit, Workspace, load, resume
from etl_framework.cli import run

sqlglot = pytest.importorskip("sqlglot")

STATEMENT = re.compile(
    # What is only a privilege's name is no statement.
    r"(ALTER|BEGIN|COPY INTO|CREATE(?! (?:TABLE|STAGE)$)|DELETE FROM|DESCRIBE|DROP|GET|INSERT INTO|LIST|MERGE INTO|"
    r"REMOVE|SELECT|SHOW|TRUNCATE|UPDATE|USE) .|PUT \0|(COMMIT|ROLLBACK)$"
)
# sqlglot has no node for these, and takes what follows the word as it is.
NO_NODE = re.compile(r"REMOVE '@|SHOW TRANSACTIONS$|SHOW LOCKS$|SHOW GRANTS TO (DATABASE )?ROLE \S+$|CREATE ROLE poor$")
SOURCES = [
    *Path(etl_snowflake.__file__).parent.glob("*.py"),
    Path(etl_framework.__file__).parent / "sql.py",
]
HOSTILE = '"my ""odd"" table; --"'


def templates() -> Iterator[tuple[str, str]]:
    """Every text in the code that begins as a statement does: where it stands, and what it is, with \\0 for values."""
    for source in SOURCES:
        tree = ast.parse(source.read_text())
        within = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values}
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in within | prose:
                parts = node.values if isinstance(node, ast.JoinedStr) else [node]
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in parts)
                if STATEMENT.match(text):
                    yield f"{source.name}:{node.lineno}", text


def write(name: str, *rows: str, header: str = "id,day,amount,name") -> str:
    Path(name).write_text("".join(f"{line}\n" for line in (header, *rows)))
    return name


def load_in_every_mode(target: str) -> None:
    first, second = write("a.csv", "1,2024-01-01,1.5,x"), write("b.csv", "2,2024-01-02,2.5,y")
    period: dict[str, Any] = {"mode": "replace-period", "date_column": "day", "period": "2024-01"}
    modes: list[dict[str, Any]] = [{}, {"mode": "replace"}, {"mode": "merge", "keys": ["id", "name"]}, period]
    for number, settings in enumerate(modes):
        table = (f"t{number}", HOSTILE, f'"a schema; --".{HOSTILE}', "db.s.t")[number]
        load(first, target=target, table=table, **settings)
        load(second, target=target, table=table, **settings)


def load_every_type_and_name(target: str) -> None:
    types = ["boolean", "smallint", "integer", "bigint", "double", "decimal(38,10)", "decimal(9,2)", "date"]
    types += ["time", "timestamp", "timestamptz", "varchar"]
    values = "true,1,1,1,1.5,1.5,1.5,2024-01-01,10:00:00,2024-01-01T10:00:00,2024-01-01T10:00:00Z,x"
    names = ["select", "a b", "a.b", "x;--", "Straße", "it's", "$1", *(f"c{number}" for number in range(5))]
    header = ",".join(names)
    load(write("types.csv", values, header=header), target=target, columns=dict(zip(names, types, strict=True)))


def load_every_layout(target: str) -> None:
    layouts = {"tab": ("\\t", '"'), "pipe": ("|", "'"), "none": (";", "none")}
    lines = []
    for name, (delimiter, quote) in layouts.items():
        quoting = f'quote = "{quote}"' if quote != '"' else ""
        formats = 'date_format = "%d.%m.%Y"\nnull_values = ["", "N\'A", "\\\\N"]\n'
        lines.append(
            f'[jobs.{name}]\nsource = "{name}.csv"\ntable = "{name}"\ntarget = "{target}"\n'
            f'columns = {{ d = "date", n = "bigint" }}\n[jobs.{name}.format]\ndelimiter = "{delimiter}"\n'
            f"{quoting}\n{formats}"
        )
        sign = delimiter.replace("\\t", "\t")
        write(f"{name}.csv", f"31.12.2023{sign}1", f"N'A{sign}2", header=f"d{sign}n")
    Path("etl.toml").write_text("\n".join(lines))
    workspace = Workspace.open()
    for name, codec in zip(layouts, ("zstd", "gzip", "none"), strict=True):
        workspace.load(workspace.job(name, (), {"compress": codec}))


def load_into_tables_that_differ(target: str) -> None:
    Path("etl.toml").write_text('[defaults]\nsnowflake = { evolve = "add-columns", async_above_mb = 0 }\n')
    load(write("few.csv", "1", header="id"), target=target, table="grown")
    load(write("more.csv", "1,2024-01-01 10:00:00", header="id,moment"), target=target, table="grown")
    load("more.csv", target=target, table="moments")
    period: dict[str, Any] = {"mode": "replace-period", "date_column": "moment", "period": "2024-01"}
    load("more.csv", target=target, table="moments", **period)
    with suppress(EtlError):
        load(write("stray.csv", "1,2024-02-01 10:00:00", header="id,moment"), target=target, table="moments", **period)
    with suppress(EtlError):
        load(write("same.csv", "1", "1", header="id"), target=target, table="grown", mode="merge", keys=["id"])


def fail(target: str, emulator: EmulatorControl, cursor: Any) -> None:
    faults: list[dict[str, Any]] = [
        {"sql": "^COPY INTO", "action": "kill_session"},
        {"sql": "^COMMIT", "action": "kill_session", "after": True},
        {"sql": '^INSERT INTO .*SELECT "', "action": "fail"},
    ]
    write("broken.csv", "1,2024-01-01,1.5,x")
    for fault in faults:
        emulator.faults({"endpoint": "query", **fault})
        with suppress(EtlError):
            load("broken.csv", target=target, table="broken", again=True)
        if interrupted := next(iter(record.run for record in Workspace.open().runs() if record.resumable), None):
            # As one that was killed leaves it.
            cursor.execute(f"BEGIN NAME ETL_{interrupted.upper().replace('-', '_')}")
            resume(interrupted)
    with suppress(EtlError):
        load("broken.csv", target=target, table="nowhere.public.broken")
    emulator.faults({"endpoint": "put", "action": "store_half"})
    load("broken.csv", target=target, table="broken", again=True)
    with closing(connect_to(Address.parse(target), tag="x")) as session:
        session.cancel_all(session)
        session.cancel("01a2b3c4-0000-0000-0000-000000000000")


def load_beside_another_transaction(target: str, cursor: Any) -> None:
    cursor.execute("BEGIN")
    load(write("beside.csv", "1", header="id"), target=target, table="beside")
    cursor.execute("ROLLBACK")


def ask_and_delete(target: str, cursor: Any) -> None:
    write("days.csv", "1,2024-01-01,1.5,x", "2,2024-02-01,2.5,y")
    load("days.csv", target=target, table="days", columns={"id": "bigint"})
    days = TableName(("days",))
    with closing(SnowflakeWarehouse(target)) as warehouse:
        warehouse.tables()
        warehouse.query(Statement("SELECT * FROM days WHERE id = ?", (1,)))
        for unit in (Unit.DAY, Unit.WEEK):
            warehouse.count_by(days, "day", unit)
        warehouse.capacity(10**12)
        undo = warehouse.delete(days, RangeFilter(column="id", first=1, last=1)).undo
        # The emulator has no Time Travel.
        with suppress(DriverError):
            cursor.execute(undo)
        warehouse.delete(days, PeriodFilter(column="day", first=date(2024, 2, 1), last=date(2024, 2, 29)))
        warehouse.delete(days, None)


def leave_and_clean(target: str, emulator: EmulatorControl) -> None:
    emulator.faults({"endpoint": "query", "sql": "^COPY INTO", "action": "fail", "errno": 1234})
    with suppress(EtlError):
        load(write("left.csv", "1", header="id"), target=target, table="left_over")
    emulator.faults()
    with closing(SnowflakeWarehouse(target)) as warehouse:
        for left in warehouse.leftovers():
            warehouse.remove_leftover(left)


def load_with_few_rights(emulator: EmulatorControl, cursor: Any, write_connections: Callable[..., None]) -> None:
    write_connections(test=emulator.connection(), poor=emulator.connection(role="POOR"))
    cursor.execute("CREATE ROLE poor")
    for thing in ("USAGE ON WAREHOUSE compute_wh", "USAGE ON DATABASE db", "USAGE ON SCHEMA db.public"):
        cursor.execute(f"GRANT {thing} TO ROLE poor")
    cursor.execute("GRANT READ, WRITE ON STAGE db.public._etl_stage TO ROLE poor")
    cursor.execute("GRANT CREATE TABLE ON SCHEMA db.public TO ROLE poor")
    cursor.execute("GRANT SELECT, INSERT, UPDATE ON TABLE db.public._etl_loads TO ROLE poor")
    load(write("poor.csv", "1", header="id"), target="snowflake:poor", table="of_the_poor")


def examine(target: str, cursor: Any) -> None:
    cursor.execute("CREATE SCHEMA empty")
    cursor.execute("CREATE STAGE own")
    for options in ("", "?schema=EMPTY", "?stage=@own"):
        with closing(SnowflakeWarehouse(target + options)) as warehouse:
            warehouse.check()


def was_sent(text: str, sent: set[str]) -> bool:
    """Whether a text of the code is a statement that was sent, or one's beginning when it ends with a space."""
    pattern = ".*".join(map(re.escape, text.split("\0"))) + (".*" if text.endswith(" ") else "")
    return any(re.fullmatch(pattern, sql, re.DOTALL) for sql in sent)


@pytest.mark.usefixtures("roomy")
def test_every_statement_that_is_sent_is_one_of_snowflakes(
    target: str,
    emulator: EmulatorControl,
    cursor: Any,
    write_connections: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    load_in_every_mode(target)
    load_every_type_and_name(target)
    load_every_layout(target)
    load_into_tables_that_differ(target)
    fail(target, emulator, cursor)
    load_beside_another_transaction(target, cursor)
    ask_and_delete(target, cursor)
    leave_and_clean(target, emulator)
    load_with_few_rights(emulator, cursor, write_connections)
    examine(target, cursor)
    Path("etl.toml").write_text(f'[targets.test]\nurl = "{target}"\n')
    assert run(["doctor"]) == 0
    sent = set(emulator.statements())
    refused = {}
    for sql in sent:
        try:
            parsed = [statement for statement in sqlglot.parse(sql, dialect="snowflake") if statement is not None]
        except sqlglot.errors.ParseError as error:
            refused[sql] = str(error)
            continue
        if len(parsed) != 1 or (isinstance(parsed[0], sqlglot.exp.Command) and not NO_NODE.match(sql)):
            refused[sql] = " + ".join(type(statement).__name__ for statement in parsed)
    assert not refused
    never = [f"{place}: {text}" for place, text in templates() if not was_sent(text, sent)]
    assert not never, "statements that no scenario here leads to: add one that does"
