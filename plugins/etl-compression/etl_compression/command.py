"""The command ``etl compress``."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from etl_compression.files import CompressedFile, Progress


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--codec", type=click.Choice(["zstd", "gzip"]), default="zstd", show_default=True, help="Compression.")
@click.option("--level", type=int, help="zstd 1 to 19, gzip 0 to 3; higher is smaller and slower.  [default: 1]")
@click.option("--output-dir", type=click.Path(path_type=Path), help="Folder for the results.  [default: beside FILE]")
@click.option("--force", is_flag=True, help="Replace results that are there already.  [default: refuse]")
@click.option("--jobs", type=click.IntRange(min=1), help="Threads.  [default: one per processor]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.  [default: text]")
def compress(
    files: tuple[Path, ...],
    codec: str,
    level: int | None,
    output_dir: Path | None,
    force: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Compress each FILE to FILE.zst or FILE.gz.

    Every result is read back and compared with its input before it appears under its name; the inputs are never
    touched, and nothing is replaced without --force.
    """
    from etl_compression.files import compress_files

    with _progress(files) as progress:
        done = compress_files(
            files, codec=codec, level=level, output_dir=output_dir, force=force, jobs=jobs, progress=progress
        )
    if as_json:
        _print_json(done, codec, 1 if level is None else level)
    else:
        _print_table(done)


@contextmanager
def _progress(files: Sequence[Path]) -> Iterator[Progress]:
    """What tells on standard error how far the files are: a bar on a terminal, a line for each file elsewhere."""
    # What cannot be measured is reported by the compression itself.
    sizes = {file: file.stat().st_size for file in files if file.is_file()}
    if not sys.stderr.isatty():
        yield partial(_tell_end, sizes)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress("compress and verify", *columns, console=Console(stderr=True), transient=True) as bars:
        done = dict.fromkeys(sizes, 0)
        task = bars.add_task("", total=2 * sum(sizes.values()))

        def advance(source: Path, reached: int) -> None:
            bars.advance(task, reached - done[source])
            done[source] = reached

        yield advance


def _tell_end(sizes: Mapping[Path, int], source: Path, reached: int) -> None:
    from etl_framework import printable

    if reached == 2 * sizes[source]:
        click.echo(f"compressed and verified {printable(str(source))}", err=True)


def _print_json(done: Sequence[CompressedFile], codec: str, level: int) -> None:
    from etl_framework import dumps

    files = [
        {
            "source": file.source,
            "target": file.target,
            "size": file.size,
            "compressed_size": file.compressed_size,
            "ratio": file.ratio,
            "seconds": file.seconds,
            "digest": file.digest,
        }
        for file in done
    ]
    click.echo(dumps("compress", {"codec": codec, "level": level, "files": files}), nl=False)


def _print_table(done: Sequence[CompressedFile]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from etl_framework import bytes_in_words, printable

    console = Console(file=sys.stdout, highlight=False)
    table = Table("compressed file", box=None, pad_edge=False)
    table.columns[0].overflow = "fold"
    for heading in ("size", "compressed", "ratio", "speed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for file in done:
        table.add_row(
            Text(printable(str(file.target), encoding=console.encoding)),
            bytes_in_words(file.size),
            bytes_in_words(file.compressed_size),
            f"{file.ratio:.2f}",
            f"{bytes_in_words(file.size / file.seconds)}/s",
        )
    console.print(table)
