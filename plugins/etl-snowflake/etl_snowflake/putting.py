"""PUT of one file, under a name that it takes for no pattern, and only as long as somebody waits for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etl_snowflake.line import IS_NEW_LINE
from etl_snowflake.sql import literal

# Of a file that it is not to replace, line 4 makes a second digest.
_OPTIONS = f"AUTO_COMPRESS=FALSE SOURCE_COMPRESSION=NONE OVERWRITE={'FALSE' if IS_NEW_LINE else 'TRUE'}"

_HARD = frozenset("*?[]'\\")


@contextmanager
def put_statement(path: Path, location: str) -> Iterator[str]:
    """The statement that uploads a file, which is compressed already, under its own name.

    An upload that is given up lives on in its thread. Once this has been left it finds no file, unless it has read it
    already, so that it does not replace later what may have been copied: encrypted anew, the same rows are other bytes,
    which Snowflake does not know for loaded.

    :param path: of the file; whatever leads there, its own name holds nothing that PUT takes for a pattern.
    :param location: folder in a stage, as a quoted literal.
    """
    # Beside the file if possible: what a killed process leaves there is cleared away with the run.
    base = path.parent if _is_plain(path.parent) else None
    with tempfile.TemporaryDirectory(prefix="etl-put-", dir=base) as folder:
        link = Path(folder) / path.name
        link.symlink_to(path.absolute())
        yield f"PUT {literal(f'file://{link}')} {location} {_OPTIONS}"


def _is_plain(folder: Path) -> bool:
    return str(folder).isprintable() and not _HARD & set(str(folder))
