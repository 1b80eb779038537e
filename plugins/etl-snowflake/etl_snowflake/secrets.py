"""Keeping secrets out of messages: whatever the driver or Snowflake says may quote what it was given."""

from __future__ import annotations

import re

_HIDDEN = "***"
_NAMES = (
    "password|passcode|passphrase|token|secret|private_key(?:_file_pwd|_password|_passphrase)?|credential|api_?key|"
    "session_?token|master_?token|oauth_client_secret|sig|x-amz-signature|x-amz-credential|x-amz-security-token|"
    "x-goog-signature|x-goog-credential|awsaccesskeyid|signature"
)
_ASSIGNED = re.compile(rf"""(?i)(["']?[\w-]*(?:{_NAMES})["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&)}}]+)""")
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?")
_SNOWFLAKE_TOKEN = re.compile(r"(?i)(Snowflake Token=)\S+|(Bearer )\S+")
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


def redacted(text: str) -> str:
    """The text with everything hidden that looks like a secret: passwords, tokens, keys and signatures of URLs."""
    text = _KEY.sub(_HIDDEN, text)
    text = _SNOWFLAKE_TOKEN.sub(lambda found: (found[1] or found[2]) + _HIDDEN, text)
    text = _JWT.sub(_HIDDEN, text)
    return _ASSIGNED.sub(lambda found: found[1] + _HIDDEN, text)
