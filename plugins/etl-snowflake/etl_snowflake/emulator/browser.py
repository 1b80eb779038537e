"""Logging in by a browser: where a driver sends it, and an identity provider that knows everybody.

https://docs.snowflake.com/en/user-guide/admin-security-fed-auth-use: the driver asks for an address and opens it in a
browser, which comes back to the driver's port with a token; that, and the key that came with the address, log in.
"""

import secrets
from typing import Any
from urllib.parse import urlencode

from etl_snowflake.emulator.errors import LoginRefusedError


class BrowserLogins:
    """The logins by browser that have begun."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[str, str]] = {}
        self._signed_in: dict[str, tuple[str, str]] = {}

    def begin(self, data: dict[str, Any], base_url: str) -> dict[str, Any]:
        """Answer where the browser is to go, and the key of this login.

        :param data: of the driver's request: ``LOGIN_NAME``, ``BROWSER_MODE_REDIRECT_PORT``.
        """
        visit, proof = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self._begun[visit] = str(data.get("LOGIN_NAME") or "").upper(), proof
        query = urlencode({"visit": visit, "port": str(data.get("BROWSER_MODE_REDIRECT_PORT") or "")})
        return {"tokenUrl": None, "ssoUrl": f"{base_url}_sso?{query}", "proofKey": proof}

    def sign_in(self, visit: str, port: str) -> str:
        """Let a browser in that came to the address.

        :returns: the driver's own address, with a token.
        :raises ValueError: nobody sent it here.
        """
        if visit not in self._begun or not port.isdecimal():
            raise ValueError("no login has begun here")
        token = secrets.token_urlsafe(24)
        self._signed_in[token] = self._begun.pop(visit)
        return f"http://localhost:{port}/?{urlencode({'token': token})}"

    def insist(self, user: str, token: str, proof: str) -> None:
        """Insist on the token of a login that this user began, once.

        :raises LoginRefusedError: it is none.
        """
        if self._signed_in.pop(token, None) != (user, proof):
            raise LoginRefusedError("390133", "The SAML response is invalid or matches no login request.")
