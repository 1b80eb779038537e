"""No secret leaves the driver's own configuration: not in an output, a log, a traceback, or a file of the run."""

from __future__ import annotations

import logging
import os
import re
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from textwrap import wrap
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from etl_snowflake.emulator.control import EmulatorControl
from etl_snowflake.secrets import redacted

from etl_framework import ConnectError, EtlError, load
from etl_framework.cli import run

PASSWORD = "Pa55w0rd;with 'odd\" signs"
TOKEN = "pat-planted-token-0123456789"
PASSPHRASE = "planted passphrase, of words"
IN_ENVIRONMENT = "planted-in-the-environment"
IN_URL = "planted-in-the-url"
# Its claims are an issuer and a subject, without which line 4 takes it for no token of a workload.
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZHAuZXhhbXBsZSIsICJzdWIiOiAicGxhbnRlZCJ9.c2lnbmF0dXJlLXBsYW50ZWQ"
SIGNATURE = "c2lnLXBsYW50ZWQ%2FabcDEF0123456789%3D"
AMZ = "AKIAPLANTED0123456789"
PASSCODE = "planted-passcode-931758"
OF_CLIENT = "planted-secret-of-a-client"
OF_PROXY = "pl4nted/pass,word@'of-a-proxy"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
INLINE_KEY = b64encode(
    KEY.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
).decode()
SERVER_SAYS = (
    f"SQL execution error:\nsaid 'Authorization: Bearer {JWT}', Snowflake Token=\"ver:3-hint:1-ETMsDgPLANTED\", token "
    f"{TOKEN}, https://x.blob.core.windows.net/stage/a?sv=2020&sig={SIGNATURE}&se=1 and "
    f"https://s3.amazonaws.com/b/a?X-Amz-Credential={AMZ}%2F20240101&X-Amz-Signature={SIGNATURE}, "
    f'{{"masterToken": "{TOKEN}", "password": "{PASSWORD[:8]}", "PASSCODE": "{PASSCODE}"}}, client_secret={OF_CLIENT}, '
    f"by http://etl:{OF_PROXY}@127.0.0.1:9/"
)
PLANTED = (
    *(PASSWORD, PASSWORD[:8], TOKEN, PASSPHRASE, IN_ENVIRONMENT, IN_URL, *JWT.split("."), SIGNATURE, AMZ, "TE KEY"),
    *(PASSCODE, OF_CLIENT, *OF_PROXY.split("/"), *wrap(INLINE_KEY, 64)),
)
# The emulator's tokens hold this, and its signed URLs end so.
GIVEN_BY_THE_SERVER = rb"ETMsDg|X-Goog-Signature=\w{8}"
SECRETS = re.compile(b"|".join([*(re.escape(secret.encode()) for secret in PLANTED), GIVEN_BY_THE_SERVER]))


@pytest.fixture
def folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    emulator: EmulatorControl,
    connect: Callable[..., Any],
    write_connections: Callable[..., None],
) -> Path:
    """The current folder with a job and a file; secrets stand in connections.toml, in a key file and in variables."""
    path = Path(os.environ["SNOWFLAKE_HOME"]) / "key.p8"
    path.touch(0o600)
    path.write_bytes(
        KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(PASSPHRASE.encode()),
        )
    )
    public = KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    with closing(connect()) as connection:
        connection.cursor().execute(f"ALTER USER keeper SET RSA_PUBLIC_KEY = '{b64encode(public).decode()}'")
    plain = emulator.connection(password=PASSWORD)
    bare = {name: value for name, value in plain.items() if name != "password"}
    keeper = {**bare, "user": "KEEPER", "authenticator": "SNOWFLAKE_JWT"}
    by_key = {**keeper, "private_key_file": str(path)}
    workload = {"authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": "OIDC"}
    client = {"oauth_client_id": "etl", "oauth_token_request_url": f"{emulator.url}/nowhere"}
    proxy = {"proxy_host": "127.0.0.1", "proxy_port": "9"}
    write_connections(
        password=plain,
        token={**bare, "authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token": TOKEN},
        key={**by_key, "private_key_file_pwd": PASSPHRASE},
        passcode={**plain, "passcode": PASSCODE},
        oauth={**bare, "authenticator": "OAUTH", "token": TOKEN},
        workload={**bare, **workload, "token": JWT},
        inline={**keeper, "private_key": INLINE_KEY},
        badkey={**by_key, "private_key_file_pwd": f"{PASSPHRASE}, but wrong"},
        # The driver wants it without the lines around it, and decodes what letters there are.
        badinline={**keeper, "private_key": "\n".join(["-----BEGIN PRIVATE KEY-----", *wrap(INLINE_KEY, 64)])},
        client={**bare, **client, "authenticator": "OAUTH_CLIENT_CREDENTIALS", "oauth_client_secret": OF_CLIENT},
        proxy={**plain, **proxy, "proxy_user": "etl", "proxy_password": OF_PROXY},
        proxyurl={**plain, **proxy, "proxy_host": f"http://etl:{OF_PROXY}@127.0.0.1"},
    )
    for name in ("PASSWORD", "TOKEN", "PRIVATE_KEY_FILE_PWD", "PRIVATE_KEY_PASSPHRASE"):
        monkeypatch.setenv(f"SNOWFLAKE_{name}", IN_ENVIRONMENT)
    # Line 4 would send what a cloud says of a workload to no other host than Snowflake's.
    monkeypatch.setenv("SNOWFLAKE_WIF_ALLOWED_HOST_SUFFIXES", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    Path("sales.csv").write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(2000)))
    return tmp_path


@pytest.fixture
def etl(folder: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., int]]:
    """Runs a command at its most talkative; in the end, no secret is in what was printed or left in the folder."""
    printed = []

    def command(*words: str, target: str) -> int:
        Path("etl.toml").write_text(
            f'[targets.t]\nurl = "snowflake:{target}"\n\n'
            '[jobs.sales]\nsource = "sales.csv"\ntable = "sales"\ntarget = "t"\nkeys = ["id"]\n'
        )
        code = run(["--log-level", "debug", "--debug", *words])
        printed.extend(capfd.readouterr())
        return code

    yield command
    assert_silent("".join(printed), folder)


def assert_silent(text: str, folder: Path) -> None:
    """No secret stands in a text or in any file."""
    held = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "etl.toml"}
    held["what was printed"] = text.encode()
    found = {
        place: content[max(secret.start() - 200, 0) : secret.end()]
        for place, content in held.items()
        if (secret := SECRETS.search(content))
    }
    assert not found


TARGETS = ["password", "token", "key"]
COMMANDS: list[str] = [
    "config init begin.toml",
    "analyze sales",
    "analyze --profile sales",
    "compress sales.csv",
    "plan sales",
    "load sales",
    "check sales --junit table.xml",
    "duplicates SALES --keys id --target t --junit keys-of-table.xml",
    "duplicates sales --junit keys.xml",
    "load sales --again --json",
    "--log-format json load sales --again",
    "runs list",
    "runs show --log",
    "doctor",
    "resume",
    "validate sales --junit rows.xml",
    "targets list",
    "targets test t",
    "config show",
    "config validate",
    "stage list",
    "stage clean --older-than 0d --dry-run",
    "stage clean --older-than 0d --yes",
    "plugins list",
    "plugins check snowflake --job sales",
    "runs prune --older-than 0d --dry-run",
    "runs prune --older-than 0d --yes",
]


@pytest.mark.parametrize("target", TARGETS)
def test_no_command_that_succeeds_shows_a_secret(etl: Callable[..., int], folder: Path, target: str) -> None:
    codes = {words: etl(*words.split(), target=target) for words in COMMANDS}
    assert codes == dict.fromkeys(COMMANDS, 0)
    assert len(list(folder.glob("*.xml"))) == 4


FAILURES: dict[str, dict[str, Any]] = {
    "login": {"endpoint": "login", "action": "status", "status": 403, "count": None},
    "copy": {"endpoint": "query", "sql": "^COPY", "action": "fail", "message": SERVER_SAYS},
    "put": {"endpoint": "query", "sql": "^PUT", "action": "fail", "message": SERVER_SAYS, "count": None},
    "commit": {"endpoint": "query", "sql": "^COMMIT", "action": "fail", "message": SERVER_SAYS},
}


AFTER_A_FAILURE = [
    "runs show --log",
    "--log-format json resume",
    "plan sales --again",
    "doctor",
    "targets test t",
    "stage list",
    "stage clean --older-than 0d --yes --resumable",
    "check sales --junit table.xml",
    "duplicates SALES --keys id --target t --junit keys.xml",
]
CODES = {
    "login": [0, 0, 5, 5, 5, 5, 5, 5, 5],
    "copy": [0, 1, 0, 0, 0, 0, 0, 0, 0],
    "put": [0, 1, 0, 1, 1, 0, 0, 0, 0],
    "commit": [0, 1, 0, 0, 0, 0, 0, 0, 0],
}


@pytest.mark.parametrize("fault", FAILURES)
def test_no_command_that_fails_shows_a_secret(
    etl: Callable[..., int], folder: Path, emulator: EmulatorControl, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl_snowflake.stage._ATTEMPTS", 2)
    assert etl("load", "sales", target="password") == 0
    emulator.faults(FAILURES[fault])
    assert etl("load", "sales", "--again", target="password") == (5 if fault == "login" else 1)
    emulator.faults({**FAILURES[fault], "count": None})
    codes = {words: etl(*words.split(), target="password") for words in AFTER_A_FAILURE}
    assert codes == dict(zip(AFTER_A_FAILURE, CODES[fault], strict=True))
    assert len(list(folder.glob("*.xml"))) == 2


@pytest.mark.parametrize(
    "target",
    [
        "badkey",
        "badinline",
        "client",
        f"password?password={IN_URL}",
        f"password?token={IN_URL}&role=x",
        f"password?pat={IN_URL}",
        f"password?pasword={IN_URL}",
        f"user:{IN_URL}@account",
        f"{IN_URL}:{IN_URL}@",
        f"//user:{IN_URL}@account/db",
    ],
)
def test_no_target_that_is_refused_shows_a_secret(etl: Callable[..., int], target: str) -> None:
    refused = 2 if IN_URL in target else 5
    assert etl("load", "sales", target=target) == refused
    assert etl("load", "sales.csv", "--target", f"snowflake:{target}", target="password") == refused
    assert etl("doctor", target=target) == refused


@pytest.fixture
def everything_logged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file of all that every library says, as a program may keep it; in the end, no secret is in it."""
    log = folder / "everything.log"
    handler = logging.FileHandler(log)
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [handler])
    monkeypatch.setattr(root, "level", logging.DEBUG)
    yield log
    # Closed for good: a handler in use opens its file again for whatever is logged later.
    root.removeHandler(handler)
    handler.close()
    assert log.stat().st_size
    assert_silent("", folder)


def told(error: EtlError) -> str:
    """All that may be shown of an error."""
    return "\n".join([str(error), repr(error), error.advice, *traceback.format_exception(error)])


@pytest.mark.parametrize("fault", [None, *FAILURES])
@pytest.mark.parametrize("target", [*TARGETS, "passcode", "oauth", "workload", "inline"])
def test_neither_an_error_nor_the_drivers_own_log_holds_a_secret(
    folder: Path,
    everything_logged: Path,
    emulator: EmulatorControl,
    target: str,
    fault: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("etl_snowflake.stage._ATTEMPTS", 2)
    if fault is None:
        assert load("sales.csv", target=f"snowflake:{target}").rows_loaded == 2000
    else:
        emulator.faults(FAILURES[fault])
        with pytest.raises(EtlError) as raised:
            load("sales.csv", target=f"snowflake:{target}")
        assert_silent(told(raised.value), folder)
    assert "\nsnowflake.connector" in everything_logged.read_text()


@pytest.mark.usefixtures("everything_logged")
@pytest.mark.parametrize("target", ["badkey", "badinline", "client", "proxy", "proxyurl"])
def test_no_secret_is_told_where_it_leads_to_no_connection(folder: Path, target: str) -> None:
    with pytest.raises(ConnectError) as raised:
        load("sales.csv", target=f"snowflake:{target}?timeout=1")
    assert_silent(told(raised.value), folder)


@pytest.mark.parametrize(
    "text",
    [
        "password={secret}",
        "password = '{secret}'",
        'password: "{secret}"',
        '{{"password": "{secret}"}}',
        "{{'token': '{secret}', 'x': 1}}",
        'private_key_file_pwd="{secret}"',
        "Authorization: Bearer {secret}",
        'Snowflake Token="{secret}"',
        "https://user:{secret}@host/",
        "https://h/a?sig={secret}&b=1",
        "https://h/a?X-Amz-Signature={secret}",
        "https://h/a?X-Amz-Credential={secret}",
        "https://h/a?X-Amz-Security-Token={secret}",
        "AWS_SECRET_KEY={secret}",
        "AWS_KEY_ID: {secret}",
        "passcode={secret}",
        "oauth_client_secret={secret}",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{secret}\n-----END ENCRYPTED PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n{secret}",
        "a JWT: eyJhbGciOiJSUzI1NiJ9.{secret}.{secret}",
        '\\"masterToken\\": \\"{secret}\\"',
        "queryStageMasterKey: '{secret}'",
        "the token ver:3-hint:1234-{secret} is no more",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    assert "sEcReT-0123" not in redacted(text.format(secret="sEcReT-0123"))


@pytest.mark.parametrize(
    "text",
    [
        "Object 'TOKENS' does not exist or not authorized.",
        "invalid identifier 'PASSWORD_HINT'",
        "syntax error line 1 at position 14 unexpected 'token'.",
        "Numeric value 'abc' is not recognized\n  File 'run/part.csv', line 3, character 1\n  Row 2, column \"T\"",
        "Statement reached its timeout of 5 second(s) and was canceled.",
    ],
)
def test_an_ordinary_message_is_left_as_it_is(text: str) -> None:
    assert redacted(text) == text
