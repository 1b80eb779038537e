"""The codecs: what goes in comes out, and what was damaged on the way does not."""

from __future__ import annotations

import gzip
import io
import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest
import zstandard
from etl_compression import etl_compress
from etl_compression.codecs import CODECS, make_codec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from etl_framework import InputError, Job, TableName, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from etl_framework import Codec

EVERY_LEVEL = [(name, level) for name, levels in CODECS.items() for level in levels] + [("none", None)]
CHECKED = ["zstd", "gzip"]
ROWS = b"".join(b"%d,2024-01-%02d,%d.50,name %d\n" % (i, i % 28 + 1, i * 7919 % 1000, i % 90) for i in range(40_000))


def packed(codec: Codec, *chunks: bytes | bytearray | memoryview) -> bytes:
    stream = codec.compressor()
    return b"".join([*map(stream.feed, chunks), stream.finish()])


def unpacked(codec: Codec, data: bytes) -> bytes:
    with codec.reader(io.BytesIO(data)) as reader:
        return reader.read()


def job(compress: str, level: int | None = None) -> Job:
    return Job(
        name="j",
        patterns=("/data/a.csv",),
        table=TableName.parse("t"),
        target="x:",
        compress=compress,
        compress_level=level,
    )


@settings(max_examples=100, deadline=None)
@given(chunks=st.lists(st.binary(max_size=300), max_size=6), choice=st.sampled_from(EVERY_LEVEL))
@example(chunks=[], choice=("zstd", 1))
@example(chunks=[], choice=("gzip", 1))
@example(chunks=[b"", b"a", b""], choice=("gzip", 0))
def test_any_bytes_in_any_chunks_come_back(chunks: list[bytes], choice: tuple[str, int | None]) -> None:
    codec = make_codec(*choice)
    assert unpacked(codec, packed(codec, *chunks)) == b"".join(chunks)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_blocks_of_every_kind_of_buffer_are_taken(
    name: str, kind: type[bytes] | type[bytearray] | type[memoryview]
) -> None:
    codec = make_codec(name)
    assert unpacked(codec, packed(codec, kind(ROWS), kind(b"end"))) == ROWS + b"end"


@pytest.mark.parametrize("name", CODECS)
def test_a_fed_buffer_may_be_overwritten_at_once(name: str) -> None:
    codec, stream, buffer = make_codec(name), make_codec(name).compressor(), bytearray(b"first")
    out = stream.feed(buffer)
    buffer[:] = b"other"
    assert unpacked(codec, out + stream.feed(buffer) + stream.finish()) == b"firstother"


@pytest.mark.parametrize(("name", "level"), [("zstd", 3), ("gzip", 2), ("none", None)])
def test_a_pickled_codec_is_the_same_codec_even_after_use(name: str, level: int | None) -> None:
    codec = make_codec(name, level)
    before = packed(codec, ROWS)
    again = pickle.loads(pickle.dumps(codec))
    assert (again.name, again.suffix) == (codec.name, codec.suffix)
    assert packed(again, ROWS) == before
    assert unpacked(again, before) == ROWS


@pytest.mark.parametrize("name", CODECS)
def test_one_codec_serves_many_threads_at_once(name: str) -> None:
    codec = make_codec(name)
    contents = [random.Random(number).randbytes(20_000) + ROWS[: number * 5000] for number in range(24)]

    def there_and_back(content: bytes) -> bytes:
        return unpacked(codec, packed(codec, *(content[at : at + 700] for at in range(0, len(content), 700))))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(there_and_back, contents)) == contents


def test_streams_of_one_codec_do_not_mix_when_they_take_turns() -> None:
    codec = make_codec("zstd")
    one, other = codec.compressor(), codec.compressor()
    first = [one.feed(b"one "), b""]
    second = [other.feed(b"other "), b""]
    first[1], second[1] = one.finish(), other.finish()
    assert unpacked(codec, b"".join(first)) == b"one "
    assert unpacked(codec, b"".join(second)) == b"other "


def test_an_abandoned_stream_leaves_nothing_in_the_next() -> None:
    codec = make_codec("zstd")
    codec.compressor().feed(b"left behind")
    assert unpacked(codec, packed(codec, b"next")) == b"next"


@pytest.mark.parametrize("name", CODECS)
def test_the_same_content_always_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    codec = make_codec(name)
    (tmp_path / "rows").write_bytes(ROWS)
    program = (
        "import sys; from etl_compression.codecs import make_codec; s = make_codec(sys.argv[1]).compressor();"
        "sys.stdout.buffer.write(s.feed(open(sys.argv[2], 'rb').read()) + s.finish())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", program, name, str(tmp_path / "rows")], capture_output=True, check=True
    )
    assert unpacked(codec, elsewhere.stdout) == ROWS
    # ISA-L may choose other matches, though rarely.
    if name != "gzip":
        assert packed(codec, ROWS) == packed(codec, ROWS) == elsewhere.stdout


def test_the_number_of_zstd_threads_does_not_change_the_bytes() -> None:
    one, two = (packed(make_codec("zstd", 1, threads), ROWS, ROWS) for threads in (1, 2))
    assert one == two
    assert unpacked(make_codec("zstd"), two) == ROWS + ROWS


def test_gzip_is_what_any_gunzip_reads_and_says_nothing_of_its_origin() -> None:
    data = packed(make_codec("gzip"), ROWS)
    assert gzip.decompress(data) == ROWS
    flags, modified = data[3], data[4:8]
    assert (flags, modified) == (0, b"\0\0\0\0")


def test_zstd_frames_carry_a_checksum_of_the_content() -> None:
    data = packed(make_codec("zstd"), ROWS)
    assert zstandard.ZstdDecompressor().decompressobj().decompress(data) == ROWS
    assert zstandard.get_frame_parameters(data).has_checksum


@pytest.mark.parametrize("name", CHECKED)
def test_higher_levels_make_smaller_files(name: str) -> None:
    words = random.Random(3)
    content = b"".join(b"name %d," % words.randrange(3000) for _ in range(20_000))
    levels = CODECS[name]
    low, high = (len(packed(make_codec(name, level), content)) for level in (levels[0], levels[-1]))
    assert high < low < len(content) / 2


@pytest.mark.parametrize("name", CHECKED)
def test_streams_one_after_another_are_one_stream(name: str) -> None:
    codec = make_codec(name)
    assert unpacked(codec, packed(codec, ROWS) + packed(codec, b"") + packed(codec, b"more")) == ROWS + b"more"


@pytest.mark.parametrize("name", CHECKED)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_a_stream_cut_short_anywhere_is_an_error(name: str, data: st.DataObject) -> None:
    codec = make_codec(name)
    content = data.draw(st.sampled_from([b"", b"a", ROWS[:5000], random.Random(1).randbytes(5000), ROWS]))
    whole = packed(codec, content)
    kept = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(InputError, match="damaged or cut short"):
        unpacked(codec, whole[:kept])


@pytest.mark.parametrize("name", CHECKED)
@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_never_changes_the_content_unnoticed(name: str, data: st.DataObject) -> None:
    codec = make_codec(name)
    content = data.draw(st.sampled_from([b"", b"a", ROWS[:3000], random.Random(1).randbytes(3000)]))
    stream = bytearray(packed(codec, content))
    at = data.draw(st.integers(0, min(len(stream) - 1, 40)) | st.integers(0, len(stream) - 1))
    stream[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = unpacked(codec, bytes(stream))
    except InputError:
        return
    # Some bits mean nothing, such as gzip's note of the operating system, or padding.
    assert found == content


@pytest.mark.parametrize("name", CHECKED)
def test_every_flipped_byte_within_the_content_is_detected(name: str) -> None:
    codec = make_codec(name)
    stream = packed(codec, ROWS[:50_000])
    for at in range(20, len(stream), len(stream) // 100):
        damaged = bytearray(stream)
        damaged[at] ^= 0xFF
        with pytest.raises(InputError, match="damaged"):
            unpacked(codec, bytes(damaged))


@pytest.mark.parametrize("name", CHECKED)
def test_something_else_behind_the_stream_is_an_error(name: str) -> None:
    codec = make_codec(name)
    with pytest.raises(InputError, match="damaged"):
        unpacked(codec, packed(codec, ROWS) + b"not compressed at all")


@pytest.mark.parametrize("name", CHECKED)
def test_damage_is_reported_with_the_name_of_the_file(name: str, tmp_path: Path) -> None:
    codec, path = make_codec(name), tmp_path / "rows\x1b[2J.zst"
    path.write_bytes(packed(codec, ROWS)[:-3])
    with codec.reader(path.open("rb")) as reader, pytest.raises(InputError) as caught:
        reader.read()
    assert "rows\\x1b[2J.zst is damaged or cut short" in caught.value.message


@pytest.mark.parametrize("name", CHECKED)
def test_what_precedes_the_damage_can_be_read_first(name: str) -> None:
    codec = make_codec(name)
    with codec.reader(io.BytesIO(packed(codec, ROWS)[:-1])) as reader:
        assert reader.read(100) == ROWS[:100]
        with pytest.raises(InputError):
            reader.read()


class BrokenDisk(io.RawIOBase):
    """A file on a disk that gives up."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("name", CHECKED)
def test_a_failing_disk_is_not_taken_for_a_damaged_stream(name: str) -> None:
    reader = make_codec(name).reader(cast("BinaryIO", BrokenDisk()))
    with pytest.raises(OSError, match="Input/output error") as caught:
        reader.read()
    assert caught.value.errno == 5


@pytest.mark.parametrize("name", CODECS)
def test_closing_the_reader_closes_the_file(name: str) -> None:
    codec = make_codec(name)
    raw = io.BytesIO(packed(codec, b"a"))
    codec.reader(raw).close()
    assert raw.closed


@pytest.mark.parametrize("name", CHECKED)
def test_highly_compressible_content_is_read_in_bounded_memory(name: str) -> None:
    program = """
import io, resource, sys
from etl_compression.codecs import make_codec
codec = make_codec(sys.argv[1])
stream, zeros = codec.compressor(), bytes(1 << 20)
data = b"".join([stream.feed(zeros) for _ in range(300)] + [stream.finish()])
codec.reader(io.BytesIO(data)).read(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
reader, size = codec.reader(io.BytesIO(data)), 0
while chunk := reader.read(1 << 20):
    size += len(chunk)
print(size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    ran = subprocess.run([sys.executable, "-c", program, name], capture_output=True, text=True, check=True)
    size, grown_kib = map(int, ran.stdout.split())
    assert size == 300 << 20
    assert grown_kib < 30_000


@pytest.mark.parametrize(
    ("name", "level", "advice"),
    [
        ("zstd", 0, "Give a level from 1 to 19."),
        ("zstd", 20, "Give a level from 1 to 19."),
        ("gzip", 9, "Give a level from 0 to 3."),
        ("gzip", -1, "Give a level from 0 to 3."),
        ("none", 1, "Leave the level out: it has none."),
    ],
)
def test_a_level_that_does_not_exist_is_refused_with_those_that_do(name: str, level: int, advice: str) -> None:
    with pytest.raises(UsageError, match=f"{name} has no level {level}") as caught:
        etl_compress(job(name, level))
    assert caught.value.advice == f"{advice} It is set with --compress-level, or compress_level in etl.toml."


@pytest.mark.parametrize(("name", "suffix"), [("zstd", ".zst"), ("gzip", ".gz"), ("none", "")])
def test_the_hook_answers_for_its_own_names(name: str, suffix: str) -> None:
    codec = etl_compress(job(name))
    assert codec is not None
    assert (codec.name, codec.suffix) == (name, suffix)


def test_the_hook_leaves_other_names_to_others() -> None:
    assert etl_compress(job("lzma")) is None


def test_the_hooks_import_nothing_heavy_before_they_are_used() -> None:
    program = (
        "import sys, etl_compression; list(etl_compression.etl_commands());"
        "print(sorted({'zstandard', 'isal', 'pyarrow', 'rich'} & {name.partition('.')[0] for name in sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
