"""Delimited text keeps the contract of formats."""

from __future__ import annotations

import gzip

import etl_delimited

from etl_framework.testing import FormatContract


class TestQuotedText(FormatContract):
    content = b'id,name,day\r\n1,"one, and\r\na half",2024-01-31\r\n2,two,2024-02-01\r\n\r\n3,"th""ree",\r\n'
    rows = 3

    def plugin(self) -> object:
        return etl_delimited


class TestLatin1WithTabs(FormatContract):
    content = b"id\tname\n" + b"".join(f"{number}\tnaïve {number}\n".encode("latin-1") for number in range(40))
    rows = 40
    file = "rows.tsv"
    sections = {"format": {"encoding": "latin-1"}}

    def plugin(self) -> object:
        return etl_delimited


class TestBadRows(FormatContract):
    content = b"id,price\n" + b"".join(b"%d,%d.5\n" % (number, number) for number in range(30)) + b"30\n31,1,1\n"
    rows = 32

    def plugin(self) -> object:
        return etl_delimited


class TestCompressed(FormatContract):
    content = gzip.compress(b"id,name\n" + b"".join(b"%d,n%d\n" % (number, number) for number in range(100)), mtime=0)
    rows = 100
    file = "rows.csv.gz"

    def plugin(self) -> object:
        return etl_delimited
