"""What a load makes of parts: packed and staged ones, receipts, and what stays behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from etl_framework.periods import Period
from etl_framework.totals import Totals
from etl_framework.values.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPart:
    """A part, checked and compressed, in a local file: ready to upload.

    A part that is larger than the job's part size, as a compressed source may be, is packed in several pieces.

    :param part: number of the part.
    :param piece: index within the part, from 0.
    :param path: the local file; the uploader may move it.
    :param name: the immutable name in the staging area: number, piece and digest.
    :param size: bytes of the file.
    :param digest: xxh3-128 of the file, in hexadecimal.
    :param rows: records in it.
    """

    part: int
    piece: int
    path: Path
    name: str
    size: int
    digest: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedPart:
    """A packed part that lies in the warehouse's staging area, verified.

    :param part: number of the part.
    :param piece: index within the part.
    :param name: name in the staging area.
    :param size: bytes, as the staging area tells.
    :param digest: xxh3-128 of the bytes, in hexadecimal.
    :param rows: records in it.
    """

    part: int
    piece: int
    name: str
    size: int
    digest: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """What a run left behind in a staging area.

    :param run: id of the run, as it stands in the staging area.
    :param place: which staging area it lies in, as the warehouse names it.
    :param files: how many staged files.
    :param bytes: of those files.
    :param tables: names of the tables that it left, other than loaded ones.
    :param written: when the last of it was written, UTC; None when the warehouse does not tell.
    """

    run: str
    place: str
    files: int = 0
    bytes: int = 0
    tables: tuple[str, ...] = ()
    written: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a load returns.

    :param rows: rows loaded.
    :param deleted: rows that the load removed or replaced.
    :param query_id: the warehouse's name for the statement or transaction.
    :param totals: control totals of the loaded rows, measured by SQL in the warehouse before the commit.
    :param created: whether nothing older is in the table: the load created it, or found it empty where making a table
        is no part of its transaction.
    :param findings: of the checks of its rows in the warehouse; see ``Run.audit``.
    """

    rows: int
    deleted: int
    query_id: str
    totals: Totals
    created: bool = False
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One load as the warehouse's own load ledger tells it.

    :param run: id of the run.
    :param sources: digests of the run's sources, sorted.
    :param rows: rows loaded.
    :param loaded_at: when, in UTC.
    :param job: name of the run's job.
    :param period: first and last day of the run's period, None without one.
    """

    run: str
    sources: tuple[str, ...]
    rows: int
    loaded_at: datetime
    job: str = ""
    period: Period | None = None
