"""The emulator as a process: what it keeps, what it prints, what it takes."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from itertools import takewhile
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from etl_snowflake.emulator.command import connection_section, snowflake_emulator
from etl_snowflake.emulator.control import EmulatorControl, running_emulator

from etl_framework.cli import run

connector = pytest.importorskip("snowflake.connector")
click_testing = pytest.importorskip("click.testing")


def test_a_data_folder_outlives_the_process(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"1\n")
    data = tmp_path / "account"
    with running_emulator(data) as emulator:
        connection = connector.connect(**emulator.connection())
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE t (n INT)")
        cursor.execute("CREATE STAGE st")
        cursor.execute(f"PUT 'file://{tmp_path / 'a.csv'}' @st AUTO_COMPRESS=FALSE")
        cursor.execute("COPY INTO t FROM @st FILE_FORMAT = (TYPE = CSV)")
        connection.close()
    with running_emulator(data) as emulator:
        connection = connector.connect(**emulator.connection())
        cursor = connection.cursor()
        assert cursor.execute("SELECT n FROM t").fetchall() == [(1,)]
        assert [row[0] for row in cursor.execute("LIST @st").fetchall()] == ["st/a.csv"]
        again = cursor.execute("COPY INTO t FROM @st FILE_FORMAT = (TYPE = CSV)").fetchall()
        assert again == [("Copy executed with 0 files processed.",)]
        connection.close()


@pytest.mark.parametrize("status", [403, 404])
def test_an_unknown_account_is_refused_at_once(emulator, status):
    emulator.reset(accounts=["REAL"], unknown_account_status=status)
    with pytest.raises(connector.errors.Error):
        connector.connect(**emulator.connection(login_timeout=10))
    assert len(emulator.log("login")) == 1


def connected_database(folder, printed):
    """Connect as it is printed, and tell the current database."""
    path = folder / "connections.toml"
    path.write_text(printed, "utf-8")
    path.chmod(0o600)
    # In a process of its own: the driver remembers for good which file it read.
    code = (
        "import snowflake.connector as c\n"
        "with c.connect(connection_name='rehearsal') as connection:\n"
        "    print(connection.cursor().execute('SELECT CURRENT_DATABASE()').fetchone()[0])"
    )
    environment = {**os.environ, "SNOWFLAKE_HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def test_the_section_for_connections_toml_connects(emulator, tmp_path):
    assert connected_database(tmp_path, connection_section(emulator.url)) == "REHEARSAL"


def test_the_command_serves_on_its_port_as_it_prints_until_it_is_interrupted(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "etl_framework", "snowflake-emulator", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as emulator:
        try:
            printed = "".join(takewhile(str.strip, emulator.stdout))
            assert f"http://127.0.0.1:{port}; add this to connections.toml" in printed
            assert connected_database(tmp_path, printed) == "REHEARSAL"
        finally:
            emulator.send_signal(signal.SIGINT)
            _, said = emulator.communicate()
    assert (emulator.returncode, "Traceback" in said) == (128 + signal.SIGINT, False), said


def test_the_command_documents_its_options():
    result = click_testing.CliRunner().invoke(snowflake_emulator, ["--help"])
    assert result.exit_code == 0
    assert "--port" in result.output
    assert "--data" in result.output


def test_the_command_imports_neither_fakesnow_nor_a_driver_before_it_runs():
    code = (
        "import sys, etl_snowflake.emulator.command\n"
        "heavy = {'fakesnow', 'duckdb', 'snowflake', 'starlette', 'sqlglot'}\n"
        "sys.exit(bool(heavy & {m.split('.')[0] for m in sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_emulator_that_cannot_start_says_what_it_wrote(tmp_path, monkeypatch):
    monkeypatch.setenv("ETL_EMULATOR_PYTHON", sys.executable)
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeError, match="did not start"), running_emulator(tmp_path / "file" / "below"):
        pass


STARTER = """
import sys, time
from etl_snowflake.emulator.control import running_emulator
with running_emulator() as emulator:
    print(emulator.url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where this process makes its temporary folders, and what it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def use(emulator):
    """Have everything made that is made in use."""
    with contextlib.closing(connector.connect(**emulator.connection())) as connection:
        connection.cursor().execute("CREATE STAGE st")
        emulator.reset()


def emulators_below(folder):
    """The ids of the emulators that were started with a folder for their files below this one."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"\0--remove\0{folder}/".encode() in (process / "cmdline").read_bytes():
                yield int(process.name)


def test_an_emulator_that_ends_leaves_nothing_behind(temporary):
    with running_emulator() as emulator:
        use(emulator)
        [folder] = temporary.iterdir()
        made = {path.name[:15] for path in folder.iterdir()}
        assert {"fakesnow_bucket", "snowflake_emula"} <= made
    assert list(temporary.iterdir()) == []


def test_an_emulator_that_is_killed_leaves_nothing_behind(temporary):
    with running_emulator() as emulator:
        use(emulator)
        [process] = emulators_below(temporary)
        os.kill(process, signal.SIGKILL)
    assert list(temporary.iterdir()) == []


def test_an_emulator_of_a_process_that_was_killed_leaves_nothing_behind(temporary):
    with subprocess.Popen([sys.executable, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        use(EmulatorControl(starter.stdout.readline().decode().strip()))
        [emulator] = emulators_below(temporary)
        ended = os.pidfd_open(emulator)
        starter.kill()
    assert select.select([ended], [], [], 60)[0]
    os.close(ended)
    assert list(temporary.iterdir()) == []


def test_an_emulator_that_was_told_to_end_removes_what_fakesnow_made(temporary):
    command = [sys.executable, "-m", "etl_snowflake.emulator"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as emulator:
        use(EmulatorControl(emulator.stdout.readline().decode().strip()))
        assert list(temporary.iterdir()) != []
        emulator.terminate()
    assert (emulator.returncode, list(temporary.iterdir())) == (0, [])


def test_an_emulator_ends_although_a_request_is_stalled():
    login = "POST /session/v1/login-request HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    with running_emulator() as emulator:
        emulator.faults({"endpoint": "login", "action": "stall"})
        place = urlsplit(emulator.url)
        client = socket.create_connection((place.hostname, place.port))
        client.sendall(login.encode())
        while not emulator.log("login"):
            pass
    client.close()


def ask_for_ever(emulator):
    while True:
        emulator.log()


def test_an_emulator_ends_when_the_process_that_started_it_is_killed(tmp_path):
    code = (
        "import os, sys, time\n"
        "from etl_snowflake.emulator.control import EmulatorControl, running_emulator\n"
        "with running_emulator() as emulator:\n"
        "    print(emulator.url, flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as starter:
        emulator = EmulatorControl(starter.stdout.readline().strip())
        assert emulator.log() == []
        starter.kill()
    with pytest.raises(ConnectionError):
        ask_for_ever(emulator)


def test_a_folder_that_nothing_can_be_kept_in_is_told(tmp_path, capsys):
    (tmp_path / "databases").touch()
    assert run(["snowflake-emulator", "--port", "0", "--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"error: cannot keep anything in {tmp_path}: " in said
    assert "--data" in said


def test_a_taken_port_is_told_with_what_to_do(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["snowflake-emulator", "--port", str(port)]) == 2
    assert f"error: port {port} is taken\n  Choose another one, or --port 0 for any.\n" in capsys.readouterr().err


def test_a_folder_that_another_emulator_uses_is_told(tmp_path, capsys):
    with running_emulator(tmp_path) as other:
        connector.connect(**other.connection()).close()
        assert run(["snowflake-emulator", "--port", "0", "--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"cannot use what is in {tmp_path}: another emulator may be running with it" in said
