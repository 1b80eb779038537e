"""Odd inputs and a hostile machine: each ends in the right table or in a clear error, and nothing half loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

ETL = [sys.executable, "-c", "import sys; from etl_framework.cli import main; main()"]
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from etl_framework.cli import main
main(sys.argv[2:])
"""


class Outcome:
    """What a call of the command line left."""

    def __init__(self, ended: subprocess.CompletedProcess[str]) -> None:
        self.code = ended.returncode
        self.error = ended.stderr
        self.document = json.loads(ended.stdout) if ended.stdout.strip() else {}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def etl(*words: str, program: list[str] | None = None) -> Outcome:
    return Outcome(subprocess.run([*(program or ETL), *words], capture_output=True, text=True, check=False))


def load(content: bytes, *options: str, name: str = "t.csv") -> Outcome:
    Path(name).write_bytes(content)
    return etl("load", name, "--target", "duckdb:w.duckdb", "--table", "t", "--json", *options)


def configured(content: bytes, toml: str) -> Outcome:
    """Load with settings that only a configuration can give."""
    Path("t.csv").write_bytes(content)
    head = '[jobs.j]\nsource = "t.csv"\ntable = "t"\ntarget = "duckdb:w.duckdb"\n'
    Path("etl.toml").write_text(head + toml)
    return etl("load", "j", "--json")


def rows(order: str = "ALL") -> list[tuple[object, ...]]:
    with duckdb.connect("w.duckdb", read_only=True) as connection:
        return connection.execute(f"SELECT * FROM t ORDER BY {order}").fetchall()


def no_table() -> bool:
    if not Path("w.duckdb").exists():
        return True
    with duckdb.connect("w.duckdb", read_only=True) as connection:
        return not connection.execute("SELECT * FROM duckdb_tables() WHERE table_name = 't'").fetchall()


def assert_refused(outcome: Outcome, words: str) -> None:
    assert outcome.code == 3, outcome.error
    assert words in outcome.error
    assert "Traceback" not in outcome.error
    assert no_table()


def test_an_empty_file_is_refused_when_nothing_says_what_its_columns_are(folder: Path) -> None:
    assert_refused(load(b""), "t.csv")


def test_a_header_alone_is_refused_and_makes_no_table(folder: Path) -> None:
    assert_refused(load(b"a,b\n"), "the sources hold no rows (first: ")


def test_a_file_without_a_header_gets_numbered_columns(folder: Path) -> None:
    outcome = configured(b"1,x\n2,y\n", "[jobs.j.format]\nheader = false\n")
    assert outcome.code == 0, outcome.error
    assert rows() == [(1, "x"), (2, "y")]


def test_one_column_loads_with_blank_lines_as_nulls(folder: Path) -> None:
    assert load(b"name\nx\n\ny\n").code == 0
    assert rows("1 NULLS LAST") == [("x",), ("y",), (None,)]


def test_two_thousand_columns_load(folder: Path) -> None:
    names = ",".join(f"c{number}" for number in range(2000))
    values = ",".join(str(number) for number in range(2000))
    assert load(f"{names}\n{values}\n{values}\n".encode()).code == 0
    assert rows() == [tuple(range(2000))] * 2


def test_a_field_of_64_mib_loads(folder: Path) -> None:
    outcome = load(b'id,text\n1,"' + b"x" * (64 << 20) + b'"\n2,short\n')
    assert outcome.code == 0, outcome.error
    with duckdb.connect("w.duckdb", read_only=True) as connection:
        assert connection.execute("SELECT id, length(text) FROM t ORDER BY id").fetchall() == [(1, 64 << 20), (2, 5)]


def test_a_quoted_line_break_at_every_cut_splits_no_record(folder: Path) -> None:
    text = "line one\nline two\r\n,still the same field\n"
    content = "id,text\n" + "".join(f'{number},"{text}"\n' for number in range(3000))
    # Cuts every few bytes fall inside quoted line breaks again and again.
    Path("t.csv").write_bytes(content.encode())
    outcome = etl("load", "t.csv", "--target", "duckdb:w.duckdb", "--json", "--part-size", "997")
    assert outcome.code == 0, outcome.error
    assert rows() == [(number, text) for number in range(3000)]


def test_mixed_line_ends_end_records_and_are_reported(folder: Path) -> None:
    outcome = load(b"a,b\n1,x\r\n2,y\n3,z\r\n")
    assert outcome.code == 0, outcome.error
    assert rows() == [(1, "x"), (2, "y"), (3, "z")]
    assert any("line" in finding["rule"] for finding in outcome.document["findings"])


def test_a_byte_order_mark_is_no_part_of_the_first_name(folder: Path) -> None:
    assert load(b"\xef\xbb\xbfa,b\n1,2\n").code == 0
    with duckdb.connect("w.duckdb", read_only=True) as connection:
        assert [column[0] for column in connection.execute("DESCRIBE t").fetchall()] == ["a", "b"]


def test_utf_16_loads_as_text(folder: Path) -> None:
    assert load("a,b\n1,zürich\n2,日本\n".encode("utf-16")).code == 0
    assert rows() == [(1, "zürich"), (2, "日本")]


def test_ragged_rows_are_refused_with_their_lines(folder: Path) -> None:
    good = b"".join(b"%d,x\n" % number for number in range(50))
    outcome = load(b"a,b\n" + good + b"1\n1,2,3\n")
    assert_refused(outcome, "t.csv:52")
    places = {(s["line"], f["rule"]) for f in outcome.document["findings"] for s in f["samples"]}
    assert {(52, "too_few_fields"), (53, "too_many_fields")} <= places


def test_a_stray_quote_does_not_swallow_the_rest_of_the_file(folder: Path) -> None:
    good = b"".join(b'%d,"x"\n' % number for number in range(2000))
    outcome = load(b"a,b\n" + good + b'7,"never closed\n' + good)
    assert outcome.code == 3
    assert "2002" in outcome.error
    assert no_table()


def test_a_binary_file_is_refused(folder: Path) -> None:
    assert_refused(load(b"\x89PNG\r\n\x1a\n" + os.urandom(4096), name="t.csv"), "t.csv")


def test_bytes_that_are_not_utf_8_are_refused_with_what_to_declare(folder: Path) -> None:
    outcome = load("a,b\n1,zürich\n".encode("latin-1"))
    assert_refused(outcome, "encoding")
    declared = configured("a,b\n1,zürich\n".encode("latin-1"), '[jobs.j.format]\nencoding = "latin-1"\n')
    assert declared.code == 0, declared.error
    assert rows() == [(1, "zürich")]


def test_a_missing_file_is_a_usage_error_that_names_it(folder: Path) -> None:
    outcome = etl("load", "missing.csv", "--json")
    assert outcome.code == 2
    assert "missing.csv" in outcome.error
    assert outcome.document["kind"] == "error"


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_a_file_whose_name_is_no_text_is_loaded_like_any_other(folder: Path, suffix: str) -> None:
    import gzip

    content = b"a,b\n" + b"1,2\n" * 9 + b"3\n"
    name = os.fsdecode(b"caf\xe9" + suffix.encode())
    try:
        Path(name).write_bytes(content if suffix == ".csv" else gzip.compress(content))
    except OSError:
        pytest.skip("this file system takes only names that are text")
    words = ["--target", "duckdb:w.duckdb", "--table", "t", "--on-bad-rows", "quarantine", "--max-bad-rows", "1"]
    outcome = etl("load", name, *words, "--json")
    assert outcome.code == 0, outcome.error
    assert (rows(), outcome.document["sources"][0]["path"]) == ([(1, 2)] * 9, str(folder / name))
    assert Path(outcome.document["rejects"][0]).read_bytes() == b"3\n"
    again = etl("load", name, *words, "--json")
    assert again.code == 3, again.error
    assert "already holds caf\\udce9" + suffix in again.error
    with duckdb.connect("w.duckdb", read_only=True) as connection:
        assert connection.execute("SELECT files[1] FROM _etl_loads").fetchall()[0][0].endswith("caf\\udce9" + suffix)


def test_a_target_whose_name_is_no_text_is_refused_in_words(folder: Path) -> None:
    Path("t.csv").write_text("a\n1\n")
    outcome = etl("load", "t.csv", "--target", "duckdb:" + os.fsdecode(b"caf\xe9.duckdb"), "--json")
    assert outcome.code == 2
    assert "caf\\udce9.duckdb is no valid Unicode" in outcome.error


def test_a_truncated_compressed_file_is_refused(folder: Path) -> None:
    import gzip

    packed = gzip.compress(b"a,b\n" + b"".join(b"%d,x\n" % number for number in range(200_000)))
    Path("t.csv.gz").write_bytes(packed[: len(packed) // 2])
    outcome = etl("load", "t.csv.gz", "--target", "duckdb:w.duckdb", "--json")
    assert_refused(outcome, "t.csv.gz")


def test_a_compressed_file_that_ends_too_early_is_to_be_fetched_again_not_resumed(folder: Path) -> None:
    import gzip

    packed = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (number, number**5) for number in range(500_000)))
    Path("t.csv.gz").write_bytes(packed[:-1000])
    outcome = etl("load", "t.csv.gz", "--target", "duckdb:w.duckdb", "--json")
    assert_refused(outcome, "t.csv.gz is cut short after some 1")
    assert "Fetch the file again, and begin anew." in outcome.error
    assert "etl resume" not in outcome.error
    assert outcome.document["status"] == "refused"


def test_compressed_files_load_as_what_they_hold(folder: Path) -> None:
    import bz2
    import gzip

    import pyarrow as pa

    content = b"a,b\n" + b"".join(b"%d,x\n" % number for number in range(1000))
    Path("g.csv.gz").write_bytes(gzip.compress(content))
    Path("z.csv.zst").write_bytes(pa.compress(content, codec="zstd", asbytes=True))
    Path("b.csv.bz2").write_bytes(bz2.compress(content))
    for name in ("g.csv.gz", "z.csv.zst", "b.csv.bz2"):
        outcome = etl("load", name, "--target", "duckdb:w.duckdb", "--table", "t", "--json")
        assert outcome.code == 0, outcome.error
    assert rows() == sorted([(number, "x") for number in range(1000)] * 3)


def test_a_full_disk_while_staging_is_resumable(folder: Path) -> None:
    content = b"a,b\n" + b"".join(b"%d,some text that takes room\n" % number for number in range(100_000))
    Path("t.csv").write_bytes(content)
    # A limit on the size of files fails a write as a full disk does.
    program = [sys.executable, "-c", LIMITED, str(256 << 10)]
    outcome = etl("load", "t.csv", "--target", "duckdb:w.duckdb", "--json", program=program)
    assert outcome.code == 1, outcome.error
    assert "etl resume" in outcome.error
    assert no_table()
    again = etl("resume", "--json")
    assert again.code == 0, again.error
    assert len(rows()) == 100_000


def test_a_target_that_cannot_be_written_is_a_connection_error(folder: Path) -> None:
    Path("t.csv").write_text("a\n1\n")
    outcome = etl("load", "t.csv", "--target", "duckdb:/proc/nowhere/w.duckdb", "--json")
    assert outcome.code == 5, outcome.error
    Path("text.duckdb").write_text("this is no database" * 1000)
    outcome = etl("load", "t.csv", "--target", "duckdb:text.duckdb", "--json")
    assert outcome.code == 5, outcome.error


def test_a_database_that_another_process_holds_is_locked(folder: Path) -> None:
    holder = (
        "import duckdb, sys; c = duckdb.connect('w.duckdb'); c.execute('CREATE TABLE x (i INT)'); "
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        outcome = load(b"a\n1\n")
        assert process.stdin is not None
        process.stdin.close()
    assert outcome.code == 7, outcome.error


def test_names_are_never_code(folder: Path) -> None:
    name = 'x"; DROP TABLE t; --'
    outcome = load(
        b'a,"b"",c; --",select\n1,2,3\n', "--table", '"' + name.replace('"', '""') + '"', name="it's [a] *.csv"
    )
    assert outcome.code == 0, outcome.error
    with duckdb.connect("w.duckdb", read_only=True) as connection:
        tables = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        assert name in tables
        quoted = '"' + name.replace('"', '""') + '"'
        assert connection.execute(f"SELECT * FROM {quoted}").fetchall() == [(1, 2, 3)]


def test_the_second_command_of_ctrl_c_is_a_real_signal(folder: Path) -> None:
    content = b"a,b\n" + b"".join(b"%d,some text\n" % number for number in range(200_000))
    Path("t.csv").write_bytes(content)
    script = (
        "import os, signal, sys\n"
        "from etl_framework.cli import run\n"
        "from etl_framework.cli.session import Session\n"
        "def observe(event):\n"
        "    if event.name == 'part_staged' and not struck:\n"
        "        struck.append(event)\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "struck = []\n"
        "Session.observers = lambda self: (observe,)\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    program = [sys.executable, "-c", script]
    outcome = etl("load", "t.csv", "--target", "duckdb:w.duckdb", "--part-size", "64KiB", "--json", program=program)
    assert outcome.code == 6, outcome.error
    assert outcome.document["status"] == "interrupted"
    assert no_table()
    assert etl("resume", "--json").code == 0
    assert len(rows()) == 200_000
