"""Compressing files: whole results or none, inputs untouched, nothing replaced unasked."""

from __future__ import annotations

import gzip
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import xxhash
import zstandard
from click.testing import CliRunner, Result
from etl_compression import etl_commands
from etl_compression.files import CHUNK_BYTES, compress_files

from etl_framework import EtlError, InputError, RunFailed, SourceChanged, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

ROWS = b"".join(b"%d;2024-01-%02d;name %d\n" % (i, i % 28 + 1, i % 90) for i in range(30_000))
NOISE = random.Random(5).randbytes(3 * CHUNK_BYTES)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "rows.csv"
    path.parent.mkdir()
    path.write_bytes(ROWS)
    return path


def unzstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(data).read()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run(*arguments: object) -> Result:
    (command,) = etl_commands()
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def error_of(result: Result) -> EtlError:
    assert isinstance(result.exception, EtlError), result.output
    return result.exception


@pytest.mark.parametrize(
    ("codec", "suffix", "decompress"),
    [
        ("zstd", ".zst", lambda data: zstandard.ZstdDecompressor().stream_reader(data).read()),
        ("gzip", ".gz", gzip.decompress),
    ],
)
def test_the_result_stands_beside_the_input_and_holds_its_content(
    source: Path, codec: str, suffix: str, decompress: Callable[[bytes], bytes]
) -> None:
    (done,) = compress_files([source], codec=codec)
    assert done.target == source.with_name(source.name + suffix)
    assert decompress(done.target.read_bytes()) == ROWS
    assert (done.size, done.compressed_size) == (len(ROWS), done.target.stat().st_size)
    assert done.digest == xxhash.xxh3_128_hexdigest(ROWS)
    assert done.ratio == len(ROWS) / done.compressed_size > 2
    assert names(source.parent) == ["rows.csv", done.target.name]


def test_the_input_is_not_touched(source: Path) -> None:
    before = source.stat()
    compress_files([source])
    after = source.stat()
    assert source.read_bytes() == ROWS
    assert (before.st_mtime_ns, before.st_ino, before.st_mode) == (after.st_mtime_ns, after.st_ino, after.st_mode)


def test_many_files_are_compressed_in_the_order_given(tmp_path: Path) -> None:
    sources = [tmp_path / f"{number}.csv" for number in range(20)]
    for number, path in enumerate(sources):
        path.write_bytes(ROWS[: number * 1000])
    done = compress_files(sources, output_dir=tmp_path / "new" / "folder", jobs=4)
    assert [file.source for file in done] == sources
    assert [file.size for file in done] == [number * 1000 for number in range(20)]
    assert names(tmp_path / "new" / "folder") == sorted(f"{number}.csv.zst" for number in range(20))


def test_an_empty_file_becomes_a_valid_stream(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (done,) = compress_files([tmp_path / "empty"])
    assert (done.size, done.ratio) == (0, 0.0)
    assert unzstd(done.target.read_bytes()) == b""


@pytest.mark.parametrize("codec", ["zstd", "gzip"])
def test_the_result_does_not_depend_on_the_number_of_threads(tmp_path: Path, codec: str) -> None:
    source = tmp_path / "big"
    source.write_bytes(ROWS * 16)
    results = [
        compress_files([source], codec=codec, jobs=jobs, output_dir=tmp_path / str(jobs))[0].target.read_bytes()
        for jobs in (1, 2, 3)
    ]
    assert results[0] == results[1] == results[2]


def test_a_higher_level_makes_a_smaller_file(source: Path, tmp_path: Path) -> None:
    (fast,) = compress_files([source], output_dir=tmp_path / "fast")
    (small,) = compress_files([source], level=19, output_dir=tmp_path / "small")
    assert small.compressed_size < fast.compressed_size


def test_nobody_may_read_the_result_who_could_not_read_the_input(source: Path) -> None:
    source.chmod(0o640)
    (done,) = compress_files([source])
    assert done.target.stat().st_mode & 0o777 == 0o640


def test_an_existing_file_is_never_replaced_without_force(source: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_bytes(ROWS)
    target = source.with_name("rows.csv.zst")
    target.write_text("precious")
    error = error_of(run(other, source))
    assert isinstance(error, UsageError)
    assert error.exit_code == 2
    assert str(target) in error.message
    assert "--force" in error.advice
    assert target.read_text() == "precious"
    assert not (tmp_path / "other.csv.zst").exists()


def test_force_replaces_an_existing_file(source: Path) -> None:
    target = source.with_name("rows.csv.gz")
    target.write_text("old")
    assert run(source, "--force", "--codec", "gzip").exit_code == 0
    assert gzip.decompress(target.read_bytes()) == ROWS


def test_a_dangling_link_is_something_that_exists(source: Path) -> None:
    source.with_name("rows.csv.zst").symlink_to("nowhere")
    with pytest.raises(UsageError, match="already there"):
        compress_files([source])


def test_a_file_that_appears_meanwhile_is_not_replaced_either(source: Path) -> None:
    target = source.with_name("rows.csv.zst")
    with pytest.raises(UsageError, match="since a moment ago"):
        compress_files([source], progress=lambda _source, _done: _write(target, "precious"))
    assert target.read_text() == "precious"
    assert names(source.parent) == ["rows.csv", "rows.csv.zst"]


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def test_two_inputs_that_would_get_one_name_are_refused(source: Path, tmp_path: Path) -> None:
    twin = tmp_path / "rows.csv"
    twin.write_text("other")
    error = error_of(run(source, twin, "--output-dir", tmp_path / "out"))
    assert error.exit_code == 2
    assert str(source) in error.message
    assert str(twin) in error.message
    assert not (tmp_path / "out").exists()


def test_one_file_named_twice_in_different_ways_is_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source.parent)
    with pytest.raises(UsageError, match="would both become"):
        compress_files([source, tmp_path / "link" / "rows.csv"])


def test_an_input_is_not_replaced_even_with_force(source: Path) -> None:
    packed = source.with_name("rows.csv.zst")
    packed.write_text("an input too")
    with pytest.raises(UsageError, match=r"rows\.csv\.zst is an input, and the result of"):
        compress_files([source, packed], force=True)
    assert names(source.parent) == ["rows.csv", "rows.csv.zst"]
    assert packed.read_text() == "an input too"


def test_a_missing_input_is_named_before_anything_is_written(source: Path, tmp_path: Path) -> None:
    error = error_of(run(source, tmp_path / "missing.csv"))
    assert isinstance(error, UsageError)
    assert f"there is no file {tmp_path / 'missing.csv'}" in error.message
    assert names(source.parent) == ["rows.csv"]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe is not a regular file"):
        compress_files([tmp_path / "pipe"])
    with pytest.raises(UsageError, match="is a folder"):
        compress_files([tmp_path])
    with pytest.raises(InputError, match="cannot be read"):
        compress_files(["nul\0byte"])


def test_an_unreadable_input_is_named(
    source: Path, public_folder: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    hidden = public_folder / "hidden.csv"
    hidden.write_bytes(source.read_bytes())
    hidden.chmod(0)
    with unprivileged(), pytest.raises(InputError, match=r"hidden\.csv cannot be read: Permission denied"):
        compress_files([hidden])


def appended(path: Path) -> None:
    with path.open("ab") as writer:
        writer.write(b"more\n")


def cut(path: Path) -> None:
    os.truncate(path, 10)


def rewritten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[::-1])


@pytest.mark.parametrize("change", [appended, cut, rewritten])
def test_an_input_that_changes_meanwhile_is_refused_and_leaves_nothing(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    source, out = tmp_path / "noise", tmp_path / "out"
    source.write_bytes(NOISE)
    os.utime(source, (1, 1))
    with pytest.raises(SourceChanged, match=r"noise changed while it was compressed"):
        compress_files([source], output_dir=out, progress=lambda _source, _done: change(source))
    assert names(out) == []


def test_a_result_that_does_not_give_the_content_back_is_never_kept(tmp_path: Path) -> None:
    source, out = tmp_path / "noise", tmp_path / "out"
    source.write_bytes(NOISE)

    def damage(_source: Path, done: int) -> None:
        if done == len(NOISE):
            (written,) = out.iterdir()
            with written.open("r+b") as file:
                file.seek(-CHUNK_BYTES, os.SEEK_END)
                file.write(b"damage")

    with pytest.raises(RunFailed, match="did not give back what"):
        compress_files([source], codec="gzip", output_dir=out, progress=_once_verifying(damage))
    assert names(out) == []


def _once_verifying(damage: Callable[[Path, int], None]) -> Callable[[Path, int], None]:
    """Call it with the first progress of the verification, when all is written."""
    seen: list[int] = []

    def progress(source: Path, done: int) -> None:
        if done > len(NOISE) and not seen:
            seen.append(done)
            damage(source, len(NOISE))

    return progress


def test_a_failing_write_is_an_error_of_the_run_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(NOISE)
    program = """
import resource, sys
from etl_compression.files import compress_files
from etl_framework import RunFailed
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    compress_files([sys.argv[1]], output_dir=sys.argv[2])
except RunFailed as error:
    print(error.exit_code.value, error.message, error.advice)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "noise", tmp_path / "out"], capture_output=True, text=True
    )
    assert ran.stdout.startswith(f"1 {tmp_path}/out/noise.zst could not be written: File too large"), ran.stderr
    assert names(tmp_path / "out") == []


SMALL_DISK = """
import os, sys
from etl_compression.files import compress_files
from etl_framework import RunFailed
try:
    compress_files([sys.argv[1]], output_dir=sys.argv[2])
except RunFailed as error:
    print(error.exit_code.value, error.message, error.advice, os.listdir(sys.argv[2]))
"""


def _can_mount() -> bool:
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "none", "/mnt"]
    return bool(shutil.which("unshare")) and subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.skipif(not _can_mount(), reason="may not mount a small disk")
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(NOISE)
    disk = tmp_path / "disk"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$4" "$1"'
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", disk, sys.executable, SMALL_DISK, tmp_path / "noise"],
        capture_output=True,
        text=True,
    )
    assert "noise.zst could not be written: No space left on device" in ran.stdout, ran.stderr
    assert "Make room or choose another folder with --output-dir" in ran.stdout
    assert ran.stdout.rstrip().endswith("[]")


def test_an_output_folder_that_cannot_be_made_is_an_error_of_the_run(source: Path) -> None:
    with pytest.raises(RunFailed, match="could not be written"):
        compress_files([source], output_dir=source / "below a file")


def test_ctrl_c_leaves_nothing_half_done(tmp_path: Path) -> None:
    source, out = tmp_path / "big", tmp_path / "out"
    with source.open("wb") as file:
        file.truncate(1 << 31)
    seen: list[int] = []

    def interrupt(_source: Path, done: int) -> None:
        seen.append(done)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGINT)  # as a terminal does: to the process, not to this thread

    with pytest.raises(KeyboardInterrupt):
        compress_files([source], output_dir=out, progress=interrupt)
    assert names(out) == []
    assert max(seen) < 1 << 31


def test_ctrl_c_does_not_wait_for_a_busy_worker_before_it_cleans_up(tmp_path: Path) -> None:
    source, out = tmp_path / "noise", tmp_path / "out"
    source.write_bytes(NOISE)
    cleaned = threading.Event()

    def interrupt(_source: Path, _done: int) -> None:
        if cleaned.is_set():
            return
        os.kill(os.getpid(), signal.SIGINT)
        # Busy until the main thread has cleaned up, without keeping the interpreter from it; a main thread that waits
        # for this one instead never gets there.
        while names(out) and not cleaned.wait(0.01):
            pass
        cleaned.set()

    with pytest.raises(KeyboardInterrupt):
        compress_files([source], output_dir=out, progress=interrupt)
    assert names(out) == []
    # Nobody waited for the worker, so it may be about to find out.
    assert cleaned.wait(60)


def test_progress_goes_up_to_twice_the_size(tmp_path: Path) -> None:
    source = tmp_path / "noise"
    source.write_bytes(NOISE)
    seen: list[int] = []
    compress_files([source], progress=lambda _source, done: seen.append(done))
    assert seen == sorted(seen)
    assert len(NOISE) in seen
    assert seen[-1] == 2 * len(NOISE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"codec": "none"}, "no codec 'none' to compress files with"),
        ({"level": 20}, "zstd has no level 20"),
        ({"codec": "gzip", "level": 9}, "gzip has no level 9"),
        ({"jobs": 0}, "0 jobs"),
        ({"files": []}, "no files"),
    ],
)
def test_impossible_wishes_are_refused(source: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        compress_files(**{"files": [source], **arguments})  # type: ignore[arg-type]
    assert names(source.parent) == ["rows.csv"]


def test_the_command_prints_size_ratio_and_speed(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source.parent)
    result = run("rows.csv")
    assert result.exit_code == 0
    heading, line = result.stdout.splitlines()
    assert heading.split() == ["compressed", "file", "size", "compressed", "ratio", "speed"]
    packed = (source.parent / "rows.csv.zst").stat().st_size
    name, size, _, small, _, ratio, *speed = line.split()
    assert (name, size, small, ratio) == (
        "rows.csv.zst",
        f"{len(ROWS) / 1000:.0f}",
        f"{packed / 1000:.0f}",
        f"{len(ROWS) / packed:.2f}",
    )
    assert speed[-1].endswith("B/s")
    assert result.stderr == "compressed and verified rows.csv\n"


def test_the_command_prints_exactly_one_json_document(source: Path, tmp_path: Path) -> None:
    result = run(source, "--json", "--codec", "gzip", "--level", "2", "--output-dir", tmp_path)
    document = json.loads(result.stdout)
    (file,) = document.pop("files")
    assert document == {"schema_version": 1, "kind": "compress", "codec": "gzip", "level": 2}
    assert file["target"] == str(tmp_path / "rows.csv.gz")
    assert (file["size"], file["compressed_size"]) == (len(ROWS), (tmp_path / "rows.csv.gz").stat().st_size)
    assert file["digest"] == xxhash.xxh3_128_hexdigest(ROWS)


def test_names_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2J[red].csv"
    path.write_bytes(ROWS)
    result = run(path)
    assert "\x1b" not in result.stdout + result.stderr
    assert "\\x1b[2J[red].csv" in result.stderr
    assert "\x1b" not in error_of(run(path)).message


def test_on_a_terminal_a_bar_is_shown_beside_an_undisturbed_result(source: Path) -> None:
    master, terminal = pty.openpty()
    program = "from etl_compression.command import compress; compress()"
    command = [sys.executable, "-c", program, str(source), "--json"]
    environment = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, env=environment) as process:
        os.close(terminal)
        shown = _everything(master)
        assert process.stdout is not None
        assert json.loads(process.stdout.read())["kind"] == "compress"
    assert b"compress and verify" in shown


def _everything(descriptor: int) -> bytes:
    data = b""
    # On Linux a terminal whose other side is closed ends with an error.
    with suppress(OSError):
        while chunk := os.read(descriptor, 4096):
            data += chunk
    os.close(descriptor)
    return data
