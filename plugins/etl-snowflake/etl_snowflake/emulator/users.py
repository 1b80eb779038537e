"""Users and how they prove who they are: passwords, key pairs, tokens, a browser, the cloud that they run in.

A user that was never made may log in with any password, so that a rehearsal needs no set-up; never with a key.
"""

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from etl_snowflake.emulator.browser import BrowserLogins
from etl_snowflake.emulator.errors import LoginRefusedError, SnowflakeError, not_emulated
from etl_snowflake.emulator.results import Result, status
from etl_snowflake.emulator.statements import Statement

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query

_KEYS = ("RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2")
_INVALID = "390144"
_PROVIDERS = ("AWS", "AZURE", "GCP", "OIDC")


class Users:
    """What is known of the account's users."""

    def __init__(self, account: "Account") -> None:
        self._account = account
        self.keys: dict[str, dict[str, str]] = {}
        self.browser = BrowserLogins()

    def authenticate(self, data: dict[str, Any]) -> None:
        """Insist on what the login request says of the user.

        :param data: of the login request: ``LOGIN_NAME``, ``AUTHENTICATOR``, ``PASSWORD``, ``TOKEN``,
            ``PROOF_KEY``, ``PROVIDER``.
        :raises LoginRefusedError: a wrong password, key or token.
        """
        user, token = str(data.get("LOGIN_NAME") or "").upper(), str(data.get("TOKEN") or "")
        match str(data.get("AUTHENTICATOR") or "").upper():
            case "SNOWFLAKE_JWT":
                self._insist_on_key(user, token)
            case "OAUTH":
                self._insist_on_token(token, "390303", "Invalid OAuth access token.", "390318", "OAuth access token")
            case "PROGRAMMATIC_ACCESS_TOKEN":
                name = "Programmatic access token"
                self._insist_on_token(token, "394400", f"{name} is invalid.", "394400", name)
            case "EXTERNALBROWSER":
                self.browser.insist(user, token, str(data.get("PROOF_KEY") or ""))
            case "WORKLOAD_IDENTITY":
                if data.get("PROVIDER") not in _PROVIDERS:
                    raise LoginRefusedError(_INVALID, f"{data.get('PROVIDER')!r} attests no workload identity.")
                name = "Workload identity token"
                self._insist_on_token(token, _INVALID, f"{name} is invalid.", _INVALID, name)
        expected = self._account.settings.passwords.get(user)
        if expected is not None and expected not in (data.get("PASSWORD"), data.get("TOKEN")):
            raise LoginRefusedError("390100", "Incorrect username or password was specified.")

    def _insist_on_token(self, token: str, code: str, message: str, expired_code: str, name: str) -> None:
        known = self._account.settings.tokens
        state = known.get(token) if known else "valid"
        if state == "expired":
            raise LoginRefusedError(expired_code, f"{name} expired.")
        if state is None or not token:
            raise LoginRefusedError(code, message)

    def _insist_on_key(self, user: str, token: str) -> None:
        """https://docs.snowflake.com/en/user-guide/key-pair-auth: signed by the private half of a registered key."""
        for text in self.keys.get(user, {}).values():
            der = base64.b64decode(text)
            key = load_der_public_key(der)
            assert isinstance(key, RSAPublicKey)
            try:
                claims = jwt.decode(token, key, algorithms=["RS256"], options={"require": ["exp", "iss", "sub"]})
            except jwt.PyJWTError:
                continue
            fingerprint = "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()
            account, _, named = str(claims["sub"]).partition(".")
            if named == user and claims["iss"] == f"{account}.{user}.{fingerprint}":
                return
        raise LoginRefusedError(_INVALID, "JWT token is invalid.")

    def change(self, statement: Statement) -> Result:
        """CREATE USER and ALTER USER, as far as they set public keys."""
        is_new = statement.take().is_word("CREATE")
        statement.accept("USER")
        statement.accept("IF", "NOT" if is_new else "EXISTS", *(["EXISTS"] if is_new else []))
        user = statement.identifier()
        keys = self.keys.setdefault(user, {})
        if statement.accept("UNSET"):
            keys.pop(statement.identifier(), None)
            return status("Statement executed successfully.")
        statement.accept("SET")
        options = statement.options()
        if unknown := set(options) - {*_KEYS, "TYPE", "COMMENT", "DEFAULT_ROLE", "DEFAULT_WAREHOUSE"}:
            raise not_emulated(f"the user property {', '.join(sorted(unknown))}")
        for name in _KEYS:
            if name in options:
                keys[name] = _key(str(options[name]))
        return status(f"User {user} successfully created." if is_new else "Statement executed successfully.")


def _key(text: str) -> str:
    """A public key without the lines around it, checked.

    :raises SnowflakeError: it is none.
    """
    lines = [line.strip() for line in text.splitlines()]
    bare = "".join(line for line in lines if not line.startswith("-----"))
    try:
        key = load_der_public_key(base64.b64decode(bare, validate=True))
    except ValueError as error:
        raise SnowflakeError(
            "SQL execution error:\nNew public key rejected by current policy.", 3617, "22023"
        ) from error
    if not isinstance(key, RSAPublicKey):
        raise not_emulated("keys other than RSA")
    return bare


def run(account: "Account", query: "Query", statement: Statement) -> Result | None:  # noqa: ARG001 - as its siblings
    """CREATE USER, ALTER USER."""
    if statement.starts_with("CREATE", "USER") or statement.starts_with("ALTER", "USER"):
        return account.users.change(statement)
    return None
