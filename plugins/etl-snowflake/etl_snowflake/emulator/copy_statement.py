"""Reads COPY INTO <table>: https://docs.snowflake.com/en/sql-reference/sql/copy-into-table."""

import re
from dataclasses import dataclass, field

from etl_snowflake.emulator.errors import SnowflakeError, not_emulated
from etl_snowflake.emulator.file_formats import format_options
from etl_snowflake.emulator.statements import StageReference, Statement

_MOST_FILES = 1000
_KNOWN = {
    "FILES",
    "PATTERN",
    "FILE_FORMAT",
    "ON_ERROR",
    "SIZE_LIMIT",
    "PURGE",
    "FORCE",
    "RETURN_FAILED_ONLY",
    "VALIDATION_MODE",
    "TRUNCATECOLUMNS",
    "ENFORCE_LENGTH",
    "LOAD_UNCERTAIN_FILES",
}
_FIELD = re.compile(r"(?:(?:\"[^\"]+\"|\b[A-Za-z_]\w*)\.)?\$(\d+)(?::\w+)?")
_METADATA = re.compile(r"(?:(?:\"[^\"]+\"|\b[A-Za-z_]\w*)\.)?METADATA\$(\w+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStatement:
    """A COPY, as it is written.

    :param columns: names to fill; empty means all of the table.
    :param select: the SELECT list over `$n` as SQL over columns f0, f1, …; None loads the fields as they are.
    :param width: the highest `$n` of the list.
    """

    table: tuple[str, ...]
    columns: tuple[str, ...]
    stage: StageReference
    select: str | None = None
    width: int = 0
    options: dict[str, object] = field(default_factory=dict)

    @property
    def on_error(self) -> str:
        """ABORT_STATEMENT, CONTINUE, or SKIP_FILE with what it allows."""
        return str(self.options.get("ON_ERROR", "ABORT_STATEMENT")).upper()

    @property
    def validation(self) -> str | None:
        """RETURN_ERRORS, RETURN_ALL_ERRORS, RETURN_n_ROWS, or None to load."""
        value = self.options.get("VALIDATION_MODE")
        return None if value is None else str(value).upper()


def parse_copy(statement: Statement) -> CopyStatement | None:
    """The COPY that a statement is, None when it is something else.

    :raises SnowflakeError: it is not well formed, or asks for something that is not emulated.
    """
    if not statement.accept("COPY", "INTO"):
        return None
    if statement.peek().kind in ("stage", "string"):
        raise not_emulated("COPY INTO a location (unloading)")
    table = statement.name()
    columns: list[str] = []
    if statement.accept_mark("("):
        while not statement.accept_mark(")"):
            columns.append(statement.identifier())
            statement.accept_mark(",")
    if not statement.accept("FROM"):
        raise statement.unexpected()
    inline: dict[str, object] = {}
    select, width = None, 0
    if statement.accept_mark("("):
        select, width, stage, inline = _transformation(statement)
    else:
        stage = statement.stage()
    options = inline | statement.options({"FILE_FORMAT": format_options})
    statement.end()
    _check(options, select)
    return CopyStatement(table=table, columns=tuple(columns), stage=stage, select=select, width=width, options=options)


def _check(options: dict[str, object], select: str | None) -> None:
    if unknown := set(options) - _KNOWN:
        if "MATCH_BY_COLUMN_NAME" in unknown:
            raise not_emulated("MATCH_BY_COLUMN_NAME")
        raise SnowflakeError(f"SQL compilation error:\ninvalid parameter '{min(unknown)}'", 1006, "42601")
    files = options.get("FILES", ())
    names = tuple(str(f) for f in files) if isinstance(files, tuple) else (str(files),)
    options["FILES"] = names
    if len(names) > _MOST_FILES:
        raise SnowflakeError(
            f"SQL compilation error:\nThe number of files in the FILES list ({len(names)}) exceeds {_MOST_FILES}",
            1006,
            "42601",
        )
    on_error = str(options.get("ON_ERROR", "ABORT_STATEMENT")).upper()
    if not re.fullmatch(r"ABORT_STATEMENT|CONTINUE|SKIP_FILE(_\d+%?)?", on_error):
        raise SnowflakeError(
            f"SQL compilation error:\ninvalid value '{on_error}' for parameter 'ON_ERROR'", 1008, "22023"
        )
    validation = options.get("VALIDATION_MODE")
    if validation is not None:
        if select is not None:
            raise SnowflakeError(
                "SQL compilation error:\nVALIDATION_MODE does not support COPY statements that transform data",
                2319,
                "0A000",
            )
        if not re.fullmatch(r"RETURN_ERRORS|RETURN_ALL_ERRORS|RETURN_\d+_ROWS", str(validation).upper()):
            raise SnowflakeError(
                f"SQL compilation error:\ninvalid value '{validation}' for parameter 'VALIDATION_MODE'", 1008, "22023"
            )


def _transformation(statement: Statement) -> tuple[str, int, StageReference, dict[str, object]]:
    """`SELECT … FROM @stage [(FILE_FORMAT => …)] [alias])`, past the closing parenthesis."""
    if not statement.accept("SELECT"):
        raise statement.unexpected()
    start = statement.peek().start
    depth = 0
    while depth or not statement.peek().is_word("FROM"):
        token = statement.take()
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.kind == "end" or depth < 0:
            raise statement.unexpected()
    text = statement.sql[start : statement.take().start]
    stage = statement.stage()
    options: dict[str, object] = {}
    if statement.accept_mark("("):
        options = statement.options({"FILE_FORMAT": format_options})
        statement.expect_mark(")")
    statement.accept("AS")
    if statement.peek().kind in ("word", "quoted"):
        if statement.peek().is_word("WHERE", "ORDER", "GROUP", "LIMIT", "JOIN"):
            raise SnowflakeError(
                "SQL compilation error:\nCOPY statement only supports simple SELECT from stage statements for import.",
                2104,
                "0A000",
            )
        statement.take()
    statement.expect_mark(")")
    width = max((int(n) for n in _FIELD.findall(text)), default=0)
    sql = _FIELD.sub(lambda m: f'"f{int(m[1]) - 1}"', text)
    sql = _METADATA.sub(lambda m: f'"_metadata_{m[1].lower()}"', sql)
    return sql, width, stage, options
