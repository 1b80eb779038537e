"""Compressing files: beside the input or elsewhere, verified, and never half-done."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import xxhash

from etl_compression.codecs import make_codec
from etl_compression.temporaries import Temporaries
from etl_framework import (
    Codec,
    InputError,
    RunFailed,
    SourceChanged,
    UsageError,
    first_completed,
    printable,
    usable_cores,
)

CHUNK_BYTES = 4 << 20

# What file systems answer that know no hard links.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)

Progress = Callable[[Path, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressedFile:
    """One file and its compressed form, which has been read back and compared.

    :param source: the input, as given.
    :param target: the compressed file.
    :param size: bytes of the input.
    :param compressed_size: bytes of the compressed file.
    :param seconds: wall time of compressing and verifying.
    :param digest: xxh3-128 of the content, in hexadecimal.
    """

    source: Path
    target: Path
    size: int
    compressed_size: int
    seconds: float
    digest: str

    @property
    def ratio(self) -> float:
        """How many bytes one compressed byte stands for."""
        return self.size / self.compressed_size


def compress_files(
    files: Iterable[str | Path],
    *,
    codec: str = "zstd",
    level: int | None = None,
    output_dir: str | Path | None = None,
    force: bool = False,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> tuple[CompressedFile, ...]:
    """Compress each file to one that ends in ``.zst`` or ``.gz``; the inputs are only read.

    Each result appears under its name when it is whole: written, read back and found to hold the input's content.
    Everything that can be known to fail is refused before anything is written. When one file fails, the others in
    flight are given up; those that were done by then stay. The bytes of a result do not depend on ``jobs``.

    :param codec: ``zstd`` or ``gzip``.
    :param level: zstd 1 to 19, gzip 0 to 3; None for 1.
    :param output_dir: where the results go, made when missing; None for beside each input.
    :param force: whether to replace files that are there already.
    :param jobs: most threads that compress at a time; None for one per processor.
    :param progress: called from several threads with a file and how far it is: up to its size while compressing, up
        to twice its size while verifying.
    :returns: one each, in the order of the files.
    :raises UsageError: no files, one that is not there, an unknown codec or level, or a result that would replace
        something.
    :raises InputError: a file cannot be read or is no regular file; as :class:`SourceChanged`, it changed meanwhile.
    :raises RunFailed: a result could not be written, or did not hold the content.
    """
    if codec not in ("zstd", "gzip"):
        raise UsageError(f"no codec {codec!r} to compress files with", advice="Choose zstd or gzip.")
    if jobs is not None and jobs < 1:
        raise UsageError(f"{jobs} jobs cannot compress anything", advice="Give 1 or more.")
    chosen = make_codec(codec, level)
    works = _plan(
        [Path(file) for file in files], chosen.suffix, None if output_dir is None else Path(output_dir), force
    )
    workers = jobs or usable_cores()
    # zstd cuts a stream differently with threads of its own than without, so there is always one at least.
    chosen = make_codec(codec, level, threads=max(1, workers // len(works)))
    worker = _Worker(chosen, force, progress or (lambda _source, _done: None))
    return _in_parallel(works, worker, min(workers, len(works)))


@dataclass(frozen=True, slots=True)
class _Work:
    source: Path
    target: Path
    found: os.stat_result


def _plan(sources: Sequence[Path], suffix: str, folder: Path | None, force: bool) -> list[_Work]:
    if not sources:
        raise UsageError("no files to compress", advice="Name one or more files.")
    works = [_Work(s, (s.parent if folder is None else folder) / (s.name + suffix), _examine(s)) for s in sources]
    _refuse_collisions(works)
    existing = [str(work.target) for work in works if os.path.lexists(work.target)]
    if existing and not force:
        raise UsageError(
            f"already there: {_listed(existing)}",
            advice="Replace with --force, or choose another folder with --output-dir.",
        )
    return works


def _examine(source: Path) -> os.stat_result:
    try:
        found = source.stat()
        if not stat.S_ISREG(found.st_mode):
            what = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
            raise UsageError(f"{printable(str(source))} is {what}", advice="Name the files themselves.")
        with source.open("rb"):
            return found
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {printable(str(source))}", advice="Check the path.") from error
    except (OSError, ValueError) as error:
        raise _unreadable(source, error) from error


def _refuse_collisions(works: Sequence[_Work]) -> None:
    inputs = {(work.found.st_dev, work.found.st_ino) for work in works}
    seen: dict[Path, Path] = {}
    for work in works:
        target = work.target.parent.resolve() / work.target.name
        if other := seen.get(target):
            raise UsageError(
                f"{_listed([str(other), str(work.source)])} would both become {printable(str(work.target))}",
                advice="Compress them into different folders, and name each file once.",
            )
        seen[target] = work.source
        if work.target.exists() and (work.target.stat().st_dev, work.target.stat().st_ino) in inputs:
            raise UsageError(
                f"{printable(str(work.target))} is an input, and the result of {printable(str(work.source))}",
                advice="Inputs are never touched: leave one of the two out, or choose another --output-dir.",
            )


def _in_parallel(works: Sequence[_Work], worker: _Worker, threads: int) -> tuple[CompressedFile, ...]:
    with ThreadPoolExecutor(threads, thread_name_prefix="compress") as pool:
        futures: dict[int, Future[CompressedFile]] = {}
        try:
            # The largest first, so that no big file begins when all others have ended.
            for index in sorted(range(len(works)), key=lambda index: -works[index].found.st_size):
                futures[index] = pool.submit(worker.compress, works[index])
            pending = set(futures.values())
            while pending:
                done, pending = first_completed(pending)
                for future in done:
                    future.result()
        except BaseException:
            # At once: whoever presses Ctrl-C twice does not wait for the workers to clean up after themselves.
            worker.temporaries.remove_all()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return tuple(futures[index].result() for index in range(len(works)))


@dataclass(frozen=True, slots=True)
class _Worker:
    codec: Codec
    force: bool
    progress: Progress
    temporaries: Temporaries = field(default_factory=Temporaries)

    def compress(self, work: _Work) -> CompressedFile:
        started = perf_counter()
        try:
            work.target.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.temporaries.create(work.target.parent)
            try:
                size, digest = self._write(work, temporary)
                self._verify(work, temporary, size, digest)
                compressed_size = temporary.stat().st_size
                _publish(temporary, work.target, self.force)
            finally:
                self.temporaries.remove(temporary)
        except OSError as error:
            raise _unwritable(work.target, error) from error
        return CompressedFile(
            source=work.source,
            target=work.target,
            size=size,
            compressed_size=compressed_size,
            seconds=perf_counter() - started,
            digest=digest,
        )

    def _write(self, work: _Work, temporary: Path) -> tuple[int, str]:
        hasher, size, stream = xxhash.xxh3_128(), 0, self.codec.compressor()
        with temporary.open("wb") as file:
            with closing(self._chunks(work.source)) as chunks:
                for chunk in chunks:
                    hasher.update(chunk)
                    file.write(stream.feed(chunk))
                    size += len(chunk)
                    if size > work.found.st_size:
                        # Somebody may be writing faster than this reads, without end.
                        raise _changed(work.source)
                    self.progress(work.source, size)
            file.write(stream.finish())
            file.flush()
            # Somebody may delete the input next, so the result must outlive a power cut.
            os.fsync(file.fileno())
        temporary.chmod(stat.S_IMODE(work.found.st_mode) & 0o666)
        now = work.source.stat()
        if (size, now.st_size, now.st_mtime_ns) != (work.found.st_size, work.found.st_size, work.found.st_mtime_ns):
            raise _changed(work.source)
        return size, hasher.hexdigest()

    def _chunks(self, source: Path) -> Generator[memoryview, None, None]:
        buffer = memoryview(bytearray(CHUNK_BYTES))
        try:
            with source.open("rb", buffering=0) as file:
                while count := file.readinto(buffer):
                    self.temporaries.go_on()
                    yield buffer[:count]
        except OSError as error:
            raise _unreadable(source, error) from error

    def _verify(self, work: _Work, temporary: Path, size: int, digest: str) -> None:
        hasher, found, buffer = xxhash.xxh3_128(), 0, memoryview(bytearray(CHUNK_BYTES))
        try:
            with self.codec.reader(temporary.open("rb")) as reader:
                while count := reader.readinto(buffer):  # type: ignore[attr-defined]
                    self.temporaries.go_on()
                    hasher.update(buffer[:count])
                    found += count
                    self.progress(work.source, size + min(found, size))
            same = (found, hasher.hexdigest()) == (size, digest)
        except InputError:
            same = False
        if not same:
            raise RunFailed(
                f"{printable(str(work.target))} did not give back what {printable(str(work.source))} holds",
                advice="Nothing was kept. Try again; if it happens again, suspect the memory or the disk.",
            )


def _publish(temporary: Path, target: Path, force: bool) -> None:
    if force:
        temporary.replace(target)
        return
    try:
        # Unlike a rename, a link never replaces what somebody else put there meanwhile.
        target.hardlink_to(temporary)
    except FileExistsError as error:
        raise UsageError(
            f"already there: {printable(str(target))}, since a moment ago", advice="Replace it with --force."
        ) from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        temporary.rename(target)


def _unreadable(source: Path, error: Exception) -> InputError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputError(f"{printable(str(source))} cannot be read: {why}", advice="Check the path and the permissions.")


def _changed(source: Path) -> SourceChanged:
    return SourceChanged(
        f"{printable(str(source))} changed while it was compressed",
        advice="Wait until nobody writes to it, then compress it again.",
    )


def _unwritable(target: Path, error: OSError) -> RunFailed:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return RunFailed(
        f"{printable(str(target))} could not be written: {error.strerror or error}",
        advice="Make room or choose another folder with --output-dir; nothing half-written was left."
        if full
        else "Check the folder, or choose another one with --output-dir; nothing half-written was left.",
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(printable, names[:10]))
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")
