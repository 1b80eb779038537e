"""Load metadata: which files a table has loaded, kept for 64 days, so that COPY does not load one twice."""

import json
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

Name = tuple[str, str, str]
KEPT_SECONDS = 64 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecord:
    """One file's load into one table: what COPY_HISTORY shows.

    :param etag: of the file's bytes as they lie in the stage.
    """

    table: Name
    stage: str
    stage_name: str
    file: str
    etag: str
    size: int
    rows_parsed: int
    rows_loaded: int
    errors_seen: int
    error_limit: int
    status: str
    first_error: str | None
    first_error_line: int | None
    first_error_character: int | None
    first_error_column: str | None
    loaded_at: float
    query_id: str


class LoadMetadata:
    """The records of all tables.

    :param path: where they are kept; None keeps them in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.history: list[LoadRecord] = []
        self._loaded: dict[Name, dict[tuple[str, str], LoadRecord]] = {}
        if path is not None and path.exists():
            for item in json.loads(path.read_text("utf-8")):
                self._add(LoadRecord(**item | {"table": tuple(item["table"])}))

    def _add(self, record: LoadRecord) -> None:
        self.history.append(record)
        if record.status in ("Loaded", "Partially loaded"):
            self._loaded.setdefault(record.table, {})[record.stage, record.file] = record

    def record(self, records: Iterable[LoadRecord]) -> None:
        """Keep what a committed COPY did."""
        with self._lock:
            for record in records:
                self._add(record)
            self._save()

    def is_loaded(self, table: Name, stage: str, file: str, etag: str) -> bool:
        """Whether the table holds this file with these bytes already."""
        record = self._loaded.get(table, {}).get((stage, file))
        return record is not None and record.etag == etag and time.time() - record.loaded_at < KEPT_SECONDS

    def forget(self, table: Name) -> None:
        """The table was truncated or created anew."""
        with self._lock:
            self._loaded.pop(table, None)
            if self._path is not None:
                self.history = [r for r in self.history if r.table != table]
            self._save()

    def swap(self, one: Name, other: Name) -> None:
        """Two tables took each other's names; what each has loaded goes with it."""
        with self._lock:
            first, second = self._loaded.pop(one, {}), self._loaded.pop(other, {})
            self._loaded |= {one: second, other: first}
            names = {one: other, other: one}
            self.history = [replace(r, table=names.get(r.table, r.table)) for r in self.history]
            self._save()

    def _save(self) -> None:
        if self._path is not None:
            partial = self._path.with_suffix(".partial")
            partial.write_text(json.dumps([asdict(r) for r in self.history]), "utf-8")
            partial.replace(self._path)
