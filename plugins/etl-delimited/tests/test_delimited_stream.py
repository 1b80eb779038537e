"""The bytes of plain and compressed sources."""

from __future__ import annotations

import bz2
import gzip
import random
from pathlib import Path

import pyarrow as pa
import pytest
from etl_delimited.dialect import Dialect
from etl_delimited.stream import ByteStream, open_source

from etl_framework import InputError, SourceDamaged

# Its beginning does not compress, so that there is something to cut off.
TEXT = random.Random(1).randbytes(300 << 10) + b"some,text,again\n" * 300_000


def zstd(data: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(data)
    return bytes(out.getvalue())


COMPRESSIONS = {"gzip": lambda data: gzip.compress(data, 1), "bz2": bz2.compress, "zstd": zstd}
PACKED = {name: compress(TEXT) for name, compress in COMPRESSIONS.items()}
compressions = pytest.mark.parametrize("compression", list(COMPRESSIONS))


def read_all(stream: ByteStream, size: int = 300_000) -> bytes:
    found, buffer = [], bytearray(size)
    while count := stream.readinto(buffer):
        found.append(bytes(buffer[:count]))
    return b"".join(found)


def test_a_plain_source_is_read_from_where_it_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"0123456789")
    with open_source(str(path), Dialect(), 4) as stream:
        assert read_all(stream, 3) == b"456789"
        assert stream.tell() == 10


@compressions
def test_a_compressed_source_gives_what_was_compressed(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(PACKED[compression])
    with open_source(str(path), Dialect(compression=compression)) as stream:
        assert read_all(stream) == TEXT
        assert stream.tell() == len(PACKED[compression])
        assert stream.readinto(bytearray(10)) == 0


@compressions
def test_members_behind_each_other_are_one_text(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"".join(COMPRESSIONS[compression](piece) for piece in (b"first\n", b"", b"second\n", b"")))
    with open_source(str(path), Dialect(compression=compression)) as stream:
        assert read_all(stream) == b"first\nsecond\n"


@compressions
@pytest.mark.parametrize("missing", [1, 9, 200 << 10])
@pytest.mark.parametrize("members", [1, 2])
def test_a_compressed_source_cut_short_is_an_error(
    tmp_path: Path, compression: str, missing: int, members: int
) -> None:
    path = tmp_path / "cut"
    path.write_bytes((PACKED[compression] * members)[:-missing])
    with pytest.raises(SourceDamaged, match=r"cut short.*") as caught, open_source(
        str(path), Dialect(compression=compression)
    ) as stream:  # fmt: skip
        read_all(stream)
    assert caught.value.message.startswith(f"{path} is cut short")
    assert "begin anew" in caught.value.advice


@compressions
def test_how_much_a_source_held_before_it_was_cut_short_is_told(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "cut"
    path.write_bytes(COMPRESSIONS[compression](b"id,name\n" * (1 << 20)) + PACKED[compression][:-9])
    with pytest.raises(SourceDamaged, match=r"after some 8\.\d+ MB of content|after some 1\d\.\d MB"), open_source(
        str(path), Dialect(compression=compression)
    ) as stream:  # fmt: skip
        read_all(stream)


@compressions
@pytest.mark.parametrize("data", [b"", b"id,name\n1,a\n"])
def test_what_is_not_compressed_is_an_error_that_names_the_file(tmp_path: Path, compression: str, data: bytes) -> None:
    path = tmp_path / "plain"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"plain is (damaged|cut short)"), open_source(
        str(path), Dialect(compression=compression)
    ) as stream:  # fmt: skip
        read_all(stream)


@compressions
def test_bytes_behind_a_compressed_source_are_an_error(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(PACKED[compression] + b"rubbish")
    with pytest.raises(InputError), open_source(str(path), Dialect(compression=compression)) as stream:
        read_all(stream)


@pytest.mark.parametrize("compression", ["gzip", "bz2"])
def test_a_damaged_checksum_is_an_error(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x"
    packed = bytearray(PACKED[compression])
    packed[len(packed) // 3] ^= 0xFF
    path.write_bytes(packed)
    with pytest.raises(InputError), open_source(str(path), Dialect(compression=compression)) as stream:
        read_all(stream)


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_missing_file_is_an_error_that_says_so(tmp_path: Path, compression: str | None) -> None:
    with pytest.raises(InputError, match="No such file") as caught:
        open_source(str(tmp_path / "x.csv"), Dialect(compression=compression))
    assert caught.value.advice


def test_a_folder_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="directory"):
        open_source(str(tmp_path), Dialect())


@compressions
def test_a_stream_may_be_closed_at_once_and_twice(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(PACKED[compression])
    with open_source(str(path), Dialect(compression=compression)) as stream:
        stream.close()
