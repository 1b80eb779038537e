"""Keeping secrets out of messages: whatever the driver or Snowflake says may quote what it was given."""

from __future__ import annotations

import logging
import re

_HIDDEN = "***"
_NAMES = (
    "password|passcode|passphrase|passwd|token|secret|private_key(?:_file_pwd|_password|_passphrase)?|credential|"
    "(?:api|account|master|access|secret|secret_?access|encryption)_?key|aws_key_id|access_key_id|sas|sig|pat|"
    "x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|x-goog-credential|awsaccesskeyid|signature"
)
# Quotes within JSON that is quoted itself stand behind backslashes.
_ASSIGNED = re.compile(
    rf"""(?i)((?:\\*["'])?[\w-]*(?:{_NAMES})(?:\\*["'])?\s*[=:]\s*)"""
    r"""("[^"]*"|'[^']*'|\\+"[^"]*"|\\+'[^']*'|[^\s,;&)}]+)"""
)
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?")
_AUTHORIZATION = re.compile(r"(?i)(Snowflake Token=|Bearer |Basic )\S+")
# Snowflake's own tokens, and whatever is called one and holds a digit, as no word of a sentence does.
_TOKEN = re.compile(r"""ver:\d+-hint:[\w.:+/=-]+|(?i:(?<=token )|(?<=token: ))(?=[\w.:+/=-]*\d)[\w.:+/=-]{8,}""")
# A password may hold anything, unescaped; what stands behind it up to the last at-sign is hidden with it.
_USER_OF_URL = re.compile(r"(://[^/\s:@]*:)\S+(?=@)")
# With a slash in the password, urllib3 takes user and password for host and port.
_NO_HOST = re.compile(r"[^\s']+(?=' is not a valid host)")
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


def redacted(text: str) -> str:
    """The text with everything hidden that looks like a secret: passwords, tokens, keys and signatures of URLs."""
    text = _KEY.sub(_HIDDEN, text)
    text = _AUTHORIZATION.sub(lambda found: found[1] + _HIDDEN, text)
    text = _JWT.sub(_HIDDEN, text)
    text = _TOKEN.sub(_HIDDEN, text)
    text = _USER_OF_URL.sub(lambda found: found[1] + _HIDDEN, text)
    text = _NO_HOST.sub(_HIDDEN, text)
    return _ASSIGNED.sub(lambda found: found[1] + _HIDDEN, text)


class _Redaction(logging.Filter):
    """Hides secrets in what is logged; nothing is dropped."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            # Formatters take the text where there is one.
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info))
        return True


_REDACTION = _Redaction()


def redact_log_of_driver() -> None:
    """Hide secrets in the driver's own log, which somebody may keep at its finest level."""
    # A filter of a logger is not asked about the records of the loggers below it.
    for name in [*logging.root.manager.loggerDict]:
        if name.startswith("snowflake."):
            logging.getLogger(name).addFilter(_REDACTION)
