"""The staging area: a folder beside the run's own files, and the rows that lie in it."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl_duckdb.sql import stream_name
from etl_framework import RunFailed, StagedPart, counted

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_framework import PackedPart, Run

_CHUNK = 1 << 20


def folder(run: Run) -> Path:
    """Where the run's staged parts lie."""
    return run.folder / "staged"


def stage(part: PackedPart, run: Run) -> StagedPart:
    """Move a packed part into the staging folder, in one step; a part that is there already stays.

    :raises RunFailed: the part cannot be moved, or is not as long as it should be.
    """
    target = folder(run) / part.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if part.path.exists():
            _move(part.path, target)
        size = target.stat().st_size
    except OSError as error:
        raise RunFailed(
            f"part {part.name} cannot be staged in {target.parent}: {error.strerror or error}",
            advice="Free disk space there, or allow writing.",
        ) from error
    if size != part.size:
        raise RunFailed(
            f"staged part {target} has {size} bytes instead of {part.size}",
            advice="Something else writes into the state folder, or the disk is damaged.",
        )
    return StagedPart(part=part.part, piece=part.piece, name=part.name, size=size, digest=part.digest, rows=part.rows)


def _move(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # Another file system: the part appears under its name only when it is whole.
        partial = target.with_name(target.name + ".partial")
        try:
            shutil.copyfile(source, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        source.unlink()


def is_staged(part: StagedPart, run: Run) -> bool:
    """Whether the part is there, byte for byte.

    :raises RunFailed: what is there cannot be read.
    """
    import xxhash

    path = folder(run) / part.name
    try:
        if path.stat().st_size != part.size:
            return False
        digest = xxhash.xxh3_128()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RunFailed(
            f"staged part {path} cannot be read: {error.strerror or error}", advice="Allow reading there, then resume."
        ) from error
    return bool(digest.hexdigest() == part.digest)


def discard(run: Run) -> None:
    """Remove the staging folder of the run; nothing there is no error.

    :raises RunFailed: it cannot be removed.
    """
    try:
        shutil.rmtree(folder(run))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise RunFailed(
            f"staged parts in {folder(run)} cannot be removed: {error.strerror or error}",
            advice="Allow writing there, or remove the folder yourself.",
        ) from error


class StagedRows:
    """The rows of all staged parts, one stream; read once, by whichever thread DuckDB reads with.

    :ivar error: what went wrong while reading: DuckDB's own error only quotes it.
    """

    def __init__(self, parts: Sequence[StagedPart], run: Run) -> None:
        import pyarrow as pa

        self._parts = parts
        self._run = run
        # Columns go by number: no name of a source can then confuse a statement.
        fields = [(stream_name(at), column.type.arrow()) for at, column in enumerate(run.columns)]
        self._schema = pa.schema(fields)
        self.error: Exception | None = None

    def reader(self) -> pa.RecordBatchReader:
        """What DuckDB reads."""
        import pyarrow as pa

        return pa.RecordBatchReader.from_batches(self._schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for part in self._parts:
            try:
                yield from self._part(part)
            except Exception as error:  # of a codec, of Arrow or of the disk: all mean that the part is unreadable
                self.error = RunFailed(
                    f"staged part {folder(self._run) / part.name} cannot be read: {error}",
                    advice="The table is as it was. A resumed run packs a damaged part again.",
                )
                self.error.__cause__ = error
                raise

    def _part(self, part: StagedPart) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        rows = 0
        with self._open(folder(self._run) / part.name) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                rows += batch.num_rows
                yield pa.RecordBatch.from_arrays(batch.columns, schema=self._schema)
        if rows != part.rows:
            raise ValueError(f"it holds {counted(rows, 'row')} instead of {part.rows:,}")

    @contextmanager
    def _open(self, path: Path) -> Iterator[Any]:
        if self._run.codec.name == "none":
            import pyarrow as pa

            # Plain reads outside of Python; a memory map would count as memory of this process.
            with pa.OSFile(str(path)) as plain:
                yield plain
        else:
            with path.open("rb") as raw, self._run.codec.reader(raw) as file:
                yield file
