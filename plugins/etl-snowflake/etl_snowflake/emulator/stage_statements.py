"""CREATE, ALTER, DESCRIBE and DROP STAGE, PUT, GET, LIST, REMOVE."""

import json
import re
from base64 import b64encode
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from etl_snowflake.emulator import external
from etl_snowflake.emulator.errors import SnowflakeError, not_emulated
from etl_snowflake.emulator.file_formats import format_options
from etl_snowflake.emulator.results import SELECT, SHOW, Result, rows, status
from etl_snowflake.emulator.stages import Stage, StagedFile
from etl_snowflake.emulator.statements import StageReference, Statement
from etl_snowflake.emulator.storage import signed_url

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query
    from etl_snowflake.emulator.sessions import Session

_CREATE = re.compile(r"\s*CREATE\s+(OR\s+REPLACE\s+)?(TEMP\s+|TEMPORARY\s+)?STAGE\b", re.IGNORECASE)
_COMPRESSIONS = ("AUTO_DETECT", "GZIP", "BZ2", "BROTLI", "ZSTD", "DEFLATE", "RAW_DEFLATE", "NONE")


def run(account: "Account", query: "Query", statement: Statement) -> Result | None:
    """Run a statement about stages."""
    session = query.session
    if match := _CREATE.match(query.sql):
        return _create(account, session, statement, replace=bool(match[1]), temporary=bool(match[2]))
    if statement.accept("DROP", "STAGE"):
        return _drop(account, session, statement)
    if statement.accept("DESC", "STAGE") or statement.accept("DESCRIBE", "STAGE"):
        return _describe(account.stages.get(session.qualify(statement.name()), session.number))
    if statement.starts_with("ALTER", "STAGE"):
        raise not_emulated("ALTER STAGE")
    if statement.accept("PUT"):
        return _put(account, query, statement)
    if statement.accept("GET"):
        return _get(account, query, statement)
    if statement.accept("LIST") or statement.accept("LS"):
        return _list(account, session, statement)
    if statement.accept("REMOVE") or statement.accept("RM"):
        return _remove(account, session, statement)
    return None


def find_stage(account: "Account", session: "Session", reference: StageReference) -> Stage:
    """The stage that a reference names.

    :raises SnowflakeError: there is none, or the table of a table stage is missing.
    """
    encrypted = account.settings.client_side_encryption
    if reference.name == "~":
        return account.stages.implicit(("", "", f"~{session.user}"), encrypted=encrypted)
    name = session.qualify((*reference.namespace, reference.name))
    if reference.name.startswith("%"):
        table = session.duck.execute(
            "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?",
            [name[0], name[1], name[2][1:]],
        ).fetchone()
        if table is None:
            raise SnowflakeError(
                f"SQL compilation error:\nStage '{'.'.join(name)}' does not exist or not authorized.", 2003, "02000"
            )
        return account.stages.implicit(name, encrypted=encrypted)
    stage = account.stages.get(name, session.number)
    if stage.url:
        stage.files = external.files_of(stage.url)
    return stage


def _require_schema(session: "Session", name: tuple[str, str]) -> None:
    known = "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name = ?"
    if not session.duck.execute(known, list(name)).fetchall():
        raise SnowflakeError(
            f"SQL compilation error:\nSchema '{'.'.join(name)}' does not exist or not authorized.", 2003, "02000"
        )


def files_below(stage: Stage, path: str) -> list[StagedFile]:
    """The stage's files whose path starts with a prefix, by path."""
    return [stage.files[p] for p in sorted(stage.files) if p.startswith(path)]


def _create(account: "Account", session: "Session", statement: Statement, *, replace: bool, temporary: bool) -> Result:
    while not statement.take().is_word("STAGE"):
        pass
    if_not_exists = statement.accept("IF", "NOT", "EXISTS")
    name = session.qualify(statement.name())
    _require_schema(session, name[:2])
    nested = dict.fromkeys(("ENCRYPTION", "DIRECTORY", "COPY_OPTIONS", "CREDENTIALS"), _nested)
    options = statement.options({"FILE_FORMAT": format_options, **nested})
    known = {"FILE_FORMAT", "ENCRYPTION", "DIRECTORY", "COMMENT", "URL", "STORAGE_INTEGRATION", "CREDENTIALS"}
    if unknown := set(options) - known:
        raise not_emulated(f"the stage option {', '.join(sorted(unknown))}")
    url, integration = external.checked(options)
    encryption = options.get("ENCRYPTION")
    kind = str(encryption.get("TYPE", "")) if isinstance(encryption, dict) else ""
    encrypted = account.settings.client_side_encryption if not kind else kind == "SNOWFLAKE_FULL"
    file_format = options.get("FILE_FORMAT")
    stage = Stage(
        account.stages.new_key(),
        name,
        encrypted,
        session.number if temporary else None,
        url=url,
        integration=integration,
        has_credentials="CREDENTIALS" in options,
        comment=str(options.get("COMMENT", "")),
        options=dict(file_format) if isinstance(file_format, dict) else {},
        owner=session.role,
    )
    if account.stages.create(stage, replace=replace, if_not_exists=if_not_exists):
        return status(f"Stage area {name[2]} successfully created.")
    return status(f"{name[2]} already exists, statement succeeded.")


def _describe(stage: Stage) -> Result:
    """https://docs.snowflake.com/en/sql-reference/sql/desc-stage; file formats and copy options are left out."""
    values = [("STAGE_LOCATION", "URL", "String", json.dumps([stage.url]) if stage.url else "", "")]
    if stage.integration is not None:
        values.append(("STAGE_INTEGRATION", "STORAGE_INTEGRATION", "String", stage.integration, ""))
    elif stage.url:
        values.append(("STAGE_CREDENTIALS", "AWS_KEY_ID", "String", "", ""))
    values.append(("DIRECTORY", "ENABLE", "Boolean", "false", "false"))
    return rows(["parent_property", "property", "property_type", "property_value", "property_default"], values, SHOW)


def _nested(statement: Statement) -> dict[str, object]:
    statement.expect_mark("(")
    found = statement.options()
    statement.expect_mark(")")
    return found


def _drop(account: "Account", session: "Session", statement: Statement) -> Result:
    if_exists = statement.accept("IF", "EXISTS")
    name = session.qualify(statement.name())
    try:
        account.stages.drop(account.stages.get(name, session.number))
    except SnowflakeError:
        if not if_exists:
            raise
        return status(f"Drop statement executed successfully ({name[2]} already dropped).")
    return status(f"{name[2]} successfully dropped.")


def _put(account: "Account", query: "Query", statement: Statement) -> Result:
    token = statement.peek()
    source = statement.string() if token.kind == "string" else statement.take().text
    if not source.startswith("file://"):
        raise SnowflakeError(f"SQL compilation error:\nsyntax error: '{source}' is no file URL.", 1003, "42000")
    reference = statement.stage()
    options = statement.options()
    stage = external.internal(find_stage(account, query.session, reference))
    compression = str(options.get("SOURCE_COMPRESSION", "AUTO_DETECT")).upper()
    if compression not in _COMPRESSIONS:
        raise SnowflakeError(
            f"SQL compilation error:\ninvalid value '{compression}' for SOURCE_COMPRESSION", 1481, "42601"
        )
    folder = f"{reference.path.rstrip('/')}/" if reference.path else ""
    file_name = PurePosixPath(source.removeprefix("file://")).name
    overwrite = bool(options.get("OVERWRITE", False))
    url = signed_url(query.server, stage, folder + file_name, query.session.number, overwrite=overwrite)
    data: dict[str, Any] = {
        "src_locations": [source.removeprefix("file://")],
        "parallel": options.get("PARALLEL", 4),
        "threshold": 209715200,
        "autoCompress": bool(options.get("AUTO_COMPRESS", True)),
        "overwrite": overwrite,
        "sourceCompression": compression.lower(),
        "clientShowEncryptionParameter": False,
        "encryptionMaterial": _encryption_material(stage, query.query_id) if stage.is_encrypted else None,
        "command": "UPLOAD",
        **_transfer(stage, folder, url, query),
    }
    return Result(data)


def _get(account: "Account", query: "Query", statement: Statement) -> Result:
    reference = statement.stage()
    token = statement.peek()
    target = statement.string() if token.kind == "string" else statement.take().text
    options = statement.options()
    stage = external.internal(find_stage(account, query.session, reference))
    found = files_below(stage, reference.path)
    if pattern := options.get("PATTERN"):
        found = [f for f in found if re.fullmatch(str(pattern), f.path)]
    urls = [signed_url(query.server, stage, f.path, query.session.number) for f in found]
    material = [_encryption_material(stage, query.query_id) if f.encryption else None for f in found]
    data: dict[str, Any] = {
        "src_locations": [f.path for f in found],
        "presignedUrls": urls,
        "localLocation": target.removeprefix("file://"),
        "parallel": options.get("PARALLEL", 10),
        "threshold": 209715200,
        "autoCompress": False,
        "overwrite": False,
        "sourceCompression": "none",
        "clientShowEncryptionParameter": False,
        "encryptionMaterial": material if any(material) else [],
        "command": "DOWNLOAD",
        **_transfer(stage, "", urls[0] if urls else None, query),
    }
    return Result(data)


def _transfer(stage: Stage, folder: str, url: str | None, query: "Query") -> dict[str, Any]:
    info: dict[str, Any] = {
        "locationType": "GCS",
        "location": f"emulator/{stage.key}/{folder}",
        "path": f"{stage.key}/{folder}",
        "region": "US-CENTRAL1",
        "storageAccount": None,
        "isClientSideEncrypted": stage.is_encrypted,
        "creds": {},
        "presignedUrl": url,
        "endPoint": None,
        "useS3RegionalUrl": False,
        "useRegionalUrl": False,
        "useVirtualUrl": False,
        "volumeHash": None,
    }
    return {"stageInfo": info, "queryId": query.query_id, "operation": "Node", "kind": None}


def _encryption_material(stage: Stage, query_id: str) -> dict[str, Any]:
    return {"queryStageMasterKey": b64encode(stage.master_key).decode(), "queryId": query_id, "smkId": "1"}


def _list(account: "Account", session: "Session", statement: Statement) -> Result:
    stage, found = _selected(account, session, statement)
    values = [(stage.prefix + f.path, f.size, f.md5, f.modified.strftime("%a, %d %b %Y %H:%M:%S GMT")) for f in found]
    return rows(["name", ("size", "fixed"), "md5", "last_modified"], values, SELECT)


def _remove(account: "Account", session: "Session", statement: Statement) -> Result:
    stage, found = _selected(account, session, statement)
    for staged in found:
        if stage.url:
            external.remove(staged)
        else:
            account.stages.remove(stage, staged.path)
    return rows(["name", "result"], [(stage.prefix + f.path, "removed") for f in found], SELECT)


def _selected(account: "Account", session: "Session", statement: Statement) -> tuple[Stage, list[StagedFile]]:
    reference = statement.stage()
    options = statement.options()
    if unknown := set(options) - {"PATTERN"}:
        raise not_emulated(f"the option {', '.join(sorted(unknown))}")
    stage = find_stage(account, session, reference)
    found = files_below(stage, reference.path)
    if "PATTERN" in options:
        # LIST and REMOVE match the whole name, which begins with the stage's for a named stage
        pattern = re.compile(str(options["PATTERN"]))
        found = [f for f in found if pattern.fullmatch(f.path) or pattern.fullmatch(stage.prefix + f.path)]
    return stage, found
