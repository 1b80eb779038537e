"""One staged file made a table of typed columns, and the errors of the rows that are not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from etl_snowflake.emulator.careful_reader import CarefulReader, Field, Record
from etl_snowflake.emulator.conversion import NUMBER_MARKS, convert, literal, null_if, refusal
from etl_snowflake.emulator.delimited import after_header, read_table, record_offsets
from etl_snowflake.emulator.file_formats import FileFormat
from etl_snowflake.emulator.parsed_file import ParsedFile, RowError, Target

# errors that RETURN_ERRORS and CONTINUE keep the text of
_MOST_ERRORS = 10_000


Locate = Callable[[int, int], tuple[int, int, int, int, int]]


def parse(
    data: bytes, name: str, modified: datetime, fmt: FileFormat, target: Target, duck: duckdb.DuckDBPyConnection
) -> ParsedFile:
    """Read a file's content into the target's columns.

    :param data: the plain content, in UTF-8.
    :param duck: a connection that nobody else uses meanwhile.
    :raises SnowflakeError: a type that is not emulated.
    """
    start, lines = after_header(data, fmt)
    content = data[start:]
    # what does not occur in the file need not be looked for in every field
    fmt = replace(fmt, null_if=tuple(t for t in fmt.null_if if t == "" or t.encode() in content))
    width = target.width if target.select is not None else len(target.columns)
    errors: list[RowError] = []
    fields = read_table(content, fmt, width) if width else None
    if fields is not None:
        rows = fields.num_rows
        locate = _locator(content, fmt, start, lines)
        careful = False
    else:
        reader = CarefulReader(content, fmt, line=lines + 1, offset=start)
        fields, positions, errors, rows = _read_carefully(reader, fmt, target, width)
        locate = positions
        careful = True
    exact = target.select is None and not any(mark in content for mark in NUMBER_MARKS)
    table, bad = _convert(fields, fmt, target, duck, locate, name, modified, careful=careful, exact=exact)
    errors = sorted([*errors, *bad], key=lambda e: (e.row, e.offset))
    seen: set[int] = set()
    first = [e for e in errors if not (e.row in seen or seen.add(e.row))]  # type: ignore[func-returns-value]
    return ParsedFile(table, rows, first)


def _locator(content: bytes, fmt: FileFormat, start: int, lines: int) -> Locate:
    """Finds a field of simple content by reading only its record again."""
    offsets: list[int] = []

    def locate(row: int, index: int) -> tuple[int, int, int, int, int]:
        if not offsets:
            found = record_offsets(content, fmt)
            if fmt.skip_blank_lines:
                found = found[[content[o : o + 1] not in (b"\n", b"\r") for o in found]]
            offsets.extend(found.tolist())
        begin = offsets[row]
        end = offsets[row + 1] if row + 1 < len(offsets) else len(content)
        line = lines + content.count(b"\n", 0, begin) + 1
        record = next(iter(CarefulReader(content[begin:end], fmt, line=line, row=row + 1, offset=start + begin)))
        return _position(record, index)

    return locate


def _position(record: Record, index: int) -> tuple[int, int, int, int, int]:
    at = record.fields[index] if index < len(record.fields) else record.end
    return record.row, at.line, at.character, at.offset, record.line


def _read_carefully(
    reader: CarefulReader, fmt: FileFormat, target: Target, width: int
) -> tuple[pa.Table, Locate, list[RowError], int]:
    kept: list[Record] = []
    errors: list[RowError] = []
    rows = 0
    strict = fmt.error_on_column_count_mismatch and target.counts_fields
    for record in reader:
        rows += 1
        error = None
        if record.error is not None:
            errno, _, message, index = record.error
            error = _structural(record, errno, message, record.end, target.label(index))
        elif strict and len(record.fields) != width:
            error = _wrong_count(record, fmt, target)
        if error is None:
            kept.append(record)
        elif len(errors) < _MOST_ERRORS:
            errors.append(error)
    columns = [[r.fields[i].text if i < len(r.fields) else None for r in kept] for i in range(width)]
    table = pa.table({f"f{i}": pa.array(c, pa.string()) for i, c in enumerate(columns)})
    if not columns:
        table = pa.table({"f0": pa.array([None] * len(kept), pa.string())})

    def locate(row: int, index: int) -> tuple[int, int, int, int, int]:
        return _position(kept[row], index)

    return table, locate, errors, rows


def _wrong_count(record: Record, fmt: FileFormat, target: Target) -> RowError:
    """The error of a record with too many or too few fields, which is worded by whether it is the file's first."""
    found, expected = len(record.fields), len(target.columns)
    if record.row == 1:
        message = (
            f"Number of columns in file ({found}) does not match that of the corresponding table ({expected}), "
            "use file format option error_on_column_count_mismatch=false to ignore this error"
        )
        return _structural(record, 100080, message, record.after, target.label(found - 1))
    if found > expected:
        delimiter = fmt.field_delimiter or ""
        message = (
            f"Field delimiter '{delimiter}' found while expecting record delimiter '{_visible(fmt.record_delimiter)}'"
        )
        extra = record.fields[expected]
        size = len(delimiter)
        at = Field(None, extra.line, extra.character - size, extra.offset - len(delimiter.encode()))
        return _structural(record, 100016, message, at, target.label(expected - 1))
    label = target.label(found)
    return _structural(
        record, 100068, f"End of record reached while expected to parse column '{label}'", record.end, label
    )


def _visible(delimiter: str | None) -> str:
    return (delimiter or "\n").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def _structural(record: Record, errno: int, message: str, at: Field, column: str) -> RowError:
    return RowError(
        message=message, errno=errno, sqlstate="22000", line=at.line, character=at.character, offset=at.offset,
        row=record.row, start_line=record.line, column=column, is_structural=True,
    )  # fmt: skip


def _convert(
    fields: pa.Table,
    fmt: FileFormat,
    target: Target,
    duck: duckdb.DuckDBPyConnection,
    locate: Locate,
    name: str,
    modified: datetime,
    *,
    careful: bool,
    exact: bool,
) -> tuple[pa.Table, list[RowError]]:
    """The typed rows without the bad ones, and an error for each bad one."""
    if target.select is None and (careful or not fmt.null_if):
        texts = fields
    else:
        texts = _texts(fields, fmt, target, duck, name, modified, careful=careful)
    texts = texts.rename_columns([f"t{i}" for i in range(texts.num_columns)])
    duck.register("_copy_texts", texts)
    try:
        kinds = [str(kind) for kind in duck.table("_copy_texts").types]
        values = []
        for i, column in enumerate(target.columns):
            is_text = pa.types.is_string(texts.schema.field(i).type) or pa.types.is_large_string(
                texts.schema.field(i).type
            )
            source = f"t{i}"
            if is_text and target.truncate and column.length is not None:
                source = f"left(t{i}, {column.length})"
            if kinds[i] == column.kind and _fits(texts.column(i), column.length):
                values.append(source)
            elif is_text:
                values.append(convert(source, column, fmt, exact=exact))
            else:
                values.append(f"TRY_CAST({source} AS {column.kind})")
        if values == texts.column_names:
            converted = texts
        else:
            converted = duck.sql(f"SELECT {', '.join(values)} FROM _copy_texts").to_arrow_table()  # noqa: S608 - own SQL
    finally:
        duck.unregister("_copy_texts")
    # how the values of one file are made, and so what DuckDB calls them, need not be how those of another are
    converted = converted.rename_columns([column.name for column in target.columns])
    return _split(texts, converted, target, locate)


def _fits(values: pa.ChunkedArray, length: int | None) -> bool:
    """Whether no text has more characters than a column takes, by its octets, which are no fewer."""
    return length is None or (pc.max(pc.binary_length(values)).as_py() or 0) <= length


def _texts(
    fields: pa.Table,
    fmt: FileFormat,
    target: Target,
    duck: duckdb.DuckDBPyConnection,
    name: str,
    modified: datetime,
    *,
    careful: bool,
) -> pa.Table:
    """The fields after NULL_IF and the statement's SELECT."""
    inputs = [n if careful else f"{null_if(n, fmt)} AS {n}" for n in fields.column_names]
    metadata = (
        f"{literal(name)} AS _metadata_filename, row_number() OVER () AS _metadata_file_row_number, "
        f"{literal(modified.isoformat())}::TIMESTAMP AS _metadata_file_last_modified, "
        "now()::TIMESTAMP AS _metadata_start_scan_time"
    )
    extra = f", {metadata}" if target.select is not None else ""
    source = f"(SELECT {', '.join(inputs)}{extra} FROM _copy_fields)"  # noqa: S608 - literals are quoted
    duck.register("_copy_fields", fields)
    try:
        chosen = target.select or ", ".join(fields.column_names)
        return duck.sql(f"SELECT {chosen} FROM {source}").to_arrow_table()  # noqa: S608 - the user's own SELECT
    finally:
        duck.unregister("_copy_fields")


def _split(texts: pa.Table, converted: pa.Table, target: Target, locate: Locate) -> tuple[pa.Table, list[RowError]]:
    good = None
    bad: list[tuple[int, int]] = []
    for i, column in enumerate(target.columns):
        text, value = texts.column(i), converted.column(i)
        if text.null_count == value.null_count and (column.nullable or value.null_count == 0):
            continue
        missing = pc.is_null(value)
        wrong = missing if not column.nullable else pc.and_(missing, pc.is_valid(text))
        bad.extend((row, i) for row in pc.indices_nonzero(wrong).to_pylist()[:_MOST_ERRORS])
        good = pc.invert(wrong) if good is None else pc.and_(good, pc.invert(wrong))
    if target.missing_required:
        bad.extend((row, len(target.columns)) for row in range(min(texts.num_rows, _MOST_ERRORS)))
        good = pa.array([False] * texts.num_rows)
    errors: list[RowError] = []
    for row, i in sorted(bad):
        column = target.columns[i] if i < len(target.columns) else target.missing_required[0]
        text = texts.column(i)[row].as_py() if i < len(target.columns) else None
        errno, sqlstate, message = refusal(
            None if text is None else str(text), column, by_select=target.select is not None
        )
        number, line, character, offset, start_line = locate(row, i)
        label = f'"{target.table}"["{column.name}":{column.position}]'
        errors.append(
            RowError(
                message=message,
                errno=errno,
                sqlstate=sqlstate,
                line=line,
                character=character,
                offset=offset,
                row=number,
                start_line=start_line,
                column=label,
                is_structural=False,
            )
        )
        if len(errors) >= _MOST_ERRORS:
            break
    return converted if good is None else converted.filter(good), errors
