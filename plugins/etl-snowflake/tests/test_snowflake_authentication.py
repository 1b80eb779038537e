"""How one logs in: the kinds that the driver knows, passed to it untouched, and what is said when one fails."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from etl_snowflake.emulator.control import EmulatorControl

from etl_framework import ConnectError, UsageError, Workspace
from etl_framework.cli import run
from etl_framework.targets import TargetCheck

from .conftest import HOME, write_connections_file

serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")

PASSPHRASE = "open-sesame-4711"
TOKEN = "secret-token-0815"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(target: str = "snowflake:test") -> TargetCheck:
    [found] = Workspace.open().test_targets(target)
    return found


def key_file(folder: Path, passphrase: str | None = None) -> tuple[Path, str]:
    """A new private key in a file, and its public half as a user's property takes it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encryption = (
        serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    )
    path = folder / f"key-{passphrase is not None}.p8"
    path.touch(0o600)
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return path, base64.b64encode(public).decode()


def with_key(emulator: EmulatorControl, path: Path, **more: Any) -> None:
    settings = {**emulator.connection(), "authenticator": "SNOWFLAKE_JWT", "private_key_file": str(path), **more}
    del settings["password"]
    write_connections_file(test=settings)


def with_token(emulator: EmulatorControl, authenticator: str, **more: Any) -> None:
    settings = {**emulator.connection(), "authenticator": authenticator, **more}
    del settings["password"]
    write_connections_file(test=settings)


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_key_pair_logs_in_once_its_public_half_is_registered(
    emulator: EmulatorControl, connect: Callable[..., Any], folder: Path, passphrase: str | None
) -> None:
    path, public = key_file(folder, passphrase)
    with_key(emulator, path, **({"private_key_file_pwd": passphrase} if passphrase else {}))
    refused = checked()
    assert refused.exit_code == 5
    assert "JWT token is invalid" in refused.error
    connect(user="ADMIN").cursor().execute(f"ALTER USER tester SET RSA_PUBLIC_KEY = '{public}'")
    assert checked().exit_code == 0, checked().error


def test_a_key_of_somebody_else_is_refused(
    emulator: EmulatorControl, connect: Callable[..., Any], folder: Path
) -> None:
    path, _ = key_file(folder)
    _, other = key_file(folder, PASSPHRASE)
    connect(user="ADMIN").cursor().execute(f"ALTER USER tester SET RSA_PUBLIC_KEY = '{other}'")
    with_key(emulator, path)
    assert checked().exit_code == 5


@pytest.mark.parametrize("given", ["wrong-passphrase-99", None])
def test_a_wrong_passphrase_is_no_connection_and_is_not_shown(
    emulator: EmulatorControl, folder: Path, given: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = key_file(folder, PASSPHRASE)
    with_key(emulator, path, **({"private_key_file_pwd": given} if given else {}))
    assert run(["targets", "test", "snowflake:test"]) == 5
    said = "".join(capsys.readouterr())
    assert "cannot connect to Snowflake with connection 'test'" in said
    assert given is None or given not in said


def test_a_missing_key_file_is_no_connection_and_told_as_such(
    emulator: EmulatorControl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_key(emulator, folder / "nowhere.p8")
    assert run(["targets", "test", "snowflake:test"]) == 5
    said = " ".join("".join(capsys.readouterr()).split())
    assert "nowhere.p8" in said
    assert "Put the file there, or correct the setting in connections.toml" in said
    assert "Check account" not in said


@pytest.mark.parametrize("authenticator", ["OAUTH", "PROGRAMMATIC_ACCESS_TOKEN"])
def test_a_token_logs_in(emulator: EmulatorControl, authenticator: str) -> None:
    emulator.reset(tokens={TOKEN: "valid"})
    with_token(emulator, authenticator, token=TOKEN)
    assert checked().exit_code == 0, checked().error


@pytest.mark.parametrize("authenticator", ["OAUTH", "PROGRAMMATIC_ACCESS_TOKEN"])
def test_a_token_may_lie_in_a_file(emulator: EmulatorControl, folder: Path, authenticator: str) -> None:
    emulator.reset(tokens={TOKEN: "valid"})
    path = folder / "token"
    path.touch(0o600)
    path.write_text(TOKEN)
    with_token(emulator, authenticator, token_file_path=str(path))
    assert checked().exit_code == 0, checked().error


@pytest.mark.parametrize("authenticator", ["OAUTH", "PROGRAMMATIC_ACCESS_TOKEN"])
@pytest.mark.parametrize("tokens", [{TOKEN: "expired"}, {"another": "valid"}])
def test_a_token_that_does_not_hold_is_no_connection_and_is_not_shown(
    emulator: EmulatorControl, authenticator: str, tokens: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.reset(tokens=tokens)
    with_token(emulator, authenticator, token=TOKEN)
    assert run(["targets", "test", "snowflake:test"]) == 5
    said = "".join(capsys.readouterr())
    assert "oken" in said
    assert TOKEN not in said


def test_a_proxy_is_gone_through(emulator: EmulatorControl) -> None:
    """Nothing listens at the proxy's port: who goes through it does not arrive."""
    write_connections_file(
        test={**emulator.connection(), "proxy_host": "127.0.0.1", "proxy_port": "9", "login_timeout": 2}
    )
    assert checked().exit_code == 5
    assert emulator.log("login") == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_connection_file_that_others_can_read_or_change_is_refused(target: str, mode: int) -> None:
    path = HOME / "connections.toml"
    path.chmod(mode)
    try:
        with pytest.raises(UsageError, match=f"can be read or changed by others .*{mode:03o}") as refused:
            raise_for(target)
        assert refused.value.advice.endswith(f"`chmod 600 {path}`.")
    finally:
        path.chmod(0o600)


def test_a_connection_file_that_is_no_toml_is_told_with_the_line_and_without_what_stands_there(target: str) -> None:
    path = HOME / "connections.toml"
    before = path.read_text()
    path.write_text(f'[test]\npassword "{PASSPHRASE}"\n')
    try:
        with pytest.raises(UsageError, match=r"connections\.toml is not TOML: .*line 2") as refused:
            raise_for(target)
        assert PASSPHRASE not in str(refused.value)
        assert refused.value.__suppress_context__
    finally:
        path.write_text(before)


def raise_for(target: str) -> None:
    Workspace.open().plugins().connect(target).close()


def test_a_file_whose_permissions_nobody_can_change_is_taken_when_the_driver_is_told_so(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (HOME / "connections.toml").chmod(0o640)
    monkeypatch.setenv("SF_SKIP_TOKEN_FILE_PERMISSIONS_VERIFICATION", "true")
    monkeypatch.setenv("SF_SKIP_WARNING_FOR_READ_PERMISSIONS_ON_CONFIG_FILE", "true")
    try:
        raise_for(target)
    finally:
        (HOME / "connections.toml").chmod(0o600)


@pytest.mark.parametrize(
    ("file", "section", "said"),
    [
        ("connections.toml", "[elsewhere]", {"SNOWFLAKE_DEFAULT_CONNECTION_NAME": "elsewhere"}),
        ("config.toml", "[connections.elsewhere]", {"SNOWFLAKE_DEFAULT_CONNECTION_NAME": "elsewhere"}),
        ("config.toml", 'default_connection_name = "elsewhere"\n[connections.elsewhere]', {}),
    ],
    ids=["connections.toml", "config.toml", "config.toml alone"],
)
def test_the_driver_s_folder_and_default_connection_are_where_the_environment_and_its_files_say(
    emulator: EmulatorControl, folder: Path, file: str, section: str, said: dict[str, str]
) -> None:
    home = folder / "home"
    home.mkdir()
    lines = [f"{key} = {value!r}" for key, value in emulator.connection(user="ELSEWHERE").items()]
    path = home / file
    path.touch(0o600)
    path.write_text("\n".join([section, *lines, ""]))
    environment = {**os.environ, "SNOWFLAKE_HOME": str(home), **said}
    program = [sys.executable, "-m", "etl_framework", "targets", "test", "snowflake:"]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ELSEWHERE" in done.stdout


def test_a_connection_that_does_not_exist_is_a_mistake_of_usage(target: str) -> None:
    with pytest.raises(UsageError, match="connection 'nope'"):
        raise_for("snowflake:nope")


def test_a_wrong_password_is_no_connection(emulator: EmulatorControl) -> None:
    emulator.reset(passwords={"TESTER": "right"})
    write_connections_file(test=emulator.connection(password="wrong-password-77"))
    with pytest.raises(ConnectError) as refused:
        raise_for("snowflake:test")
    assert "wrong-password-77" not in str(refused.value)
