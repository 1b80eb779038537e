"""The codecs and the command keep the contracts of the test kit."""

from __future__ import annotations

from typing import Any

import etl_compression
from etl_compression.codecs import make_codec

from etl_framework.testing import CodecContract, CommandsContract, QuestionsContract


class TestZstd(CodecContract):
    def codec(self) -> Any:
        return make_codec("zstd")


class TestZstdOnThreads(CodecContract):
    def codec(self) -> Any:
        return make_codec("zstd", 3, threads=2)


class TestGzip(CodecContract):
    def codec(self) -> Any:
        return make_codec("gzip")


class TestNone(CodecContract):
    def codec(self) -> Any:
        return make_codec("none")


class TestTheCommand(CommandsContract):
    def plugin(self) -> object:
        return etl_compression


class TestTheAnswers(QuestionsContract):
    def plugin(self) -> object:
        return etl_compression
