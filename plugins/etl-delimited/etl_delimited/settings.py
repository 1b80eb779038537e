"""What a job says of its sources' format: the table ``[jobs.NAME.format]``."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from etl_framework import UsageError, did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from etl_framework import Job

SECTION = "[jobs.NAME.format]"

Encoding = Literal["auto", "utf-8", "utf-16", "latin-1", "cp1252"]

DELIMITER_NAMES = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " ", "\\t": "\t", "\\x01": "\x01"}
_ENCODING_NAMES = {
    "utf8": "utf-8",
    "utf16": "utf-16",
    "latin1": "latin-1",
    "iso-8859-1": "latin-1",
    "windows-1252": "cp1252",
}


class FormatSettings(BaseModel):
    """What is declared of the format; everything left out is detected.

    :ivar delimiter: one or several characters, or a name: tab, comma, semicolon, pipe, space.
    :ivar quote: the quote character, or ``none`` when quotes have no meaning.
    :ivar escape: the escape character, or ``none``.
    :ivar header: whether the first record names the columns.
    :ivar encoding: of the text; ``auto`` knows UTF-8 and UTF-16 only.
    :ivar skip_lines: lines to pass over before the header or the data.
    :ivar null_values: what stands for null in columns other than text, besides the empty text.
    :ivar date_format: ``strptime`` pattern of dates.
    :ivar timestamp_format: ``strptime`` pattern of timestamps.
    :ivar max_record_mib: a longer record is an error, in MiB.
    :ivar undeclared: whether columns that a header names and the job does not are inferred, or an error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    delimiter: str | None = Field(default=None, min_length=1, max_length=16)
    quote: str | None = None
    escape: str | None = None
    header: bool | Literal["auto"] = "auto"
    encoding: Encoding = "auto"
    skip_lines: int = Field(default=0, ge=0)
    null_values: list[str] | None = None
    date_format: str | None = None
    timestamp_format: str | None = None
    max_record_mib: int = Field(default=128, ge=1, le=1024)
    undeclared: Literal["infer", "error"] = "infer"

    @field_validator("delimiter")
    @classmethod
    def _named_delimiter(cls, value: str | None) -> str | None:
        value = DELIMITER_NAMES.get(value.lower(), value) if value else value
        if value and set(value) & set("\r\n\0"):
            raise ValueError("a delimiter holds no line end and no NUL")
        return value

    @field_validator("quote", "escape")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is not None and value.lower() == "none":
            return "none"
        if value is not None and (len(value) != 1 or not value.isascii() or value in "\r\n\0"):
            raise ValueError('one ASCII character, or "none"')
        return value

    @field_validator("encoding", mode="before")
    @classmethod
    def _spelling(cls, value: object) -> object:
        return _ENCODING_NAMES.get(value.lower(), value.lower()) if isinstance(value, str) else value

    @field_validator("date_format", "timestamp_format")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        if value is not None and "%" not in value:
            raise ValueError('a strptime pattern, such as "%d.%m.%Y"')
        return value

    @model_validator(mode="after")
    def _distinct(self) -> FormatSettings:
        signs = [sign for sign in (self.quote, self.escape) if sign not in (None, "none")]
        if any(sign in (self.delimiter or "") for sign in signs if sign):
            raise ValueError("the delimiter must not hold the quote or the escape character")
        if self.quote == self.escape and self.quote not in (None, "none"):
            raise ValueError("quote and escape must differ; a doubled quote needs no escape character")
        return self


def format_settings(job: Job) -> FormatSettings:
    """The job's section ``format``, checked.

    :raises UsageError: a key is unknown or its value is not allowed; names the key and what is allowed.
    """
    try:
        return FormatSettings.model_validate(dict(job.section("format")))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(["format", *map(str, first["loc"][:1])])
        raise UsageError(_message(job, first), advice=_advice(first), key=key) from error


def addressed(advice: str, job: Job) -> str:
    """An advice that names :data:`SECTION`, with the section of the job's own instead."""
    section = f"[jobs.{job.name}.format]" if job.configured else "[defaults.format] of etl.toml"
    return advice.replace(SECTION, section)


def _message(job: Job, problem: ErrorDetails) -> str:
    key = ".".join(str(part) for part in problem["loc"][:1])
    section = f"[jobs.{job.name}.format]" if job.configured else "[defaults.format]"
    where = f"{section} {key}".rstrip()
    if problem["type"] == "extra_forbidden":
        return f"{where} is not a setting of delimited files"
    shown = f" = {problem['input']!r}" if key else ""
    return f"{where}{shown}: {_plain(problem)}"


def _plain(problem: ErrorDetails) -> str:
    return str(problem["msg"]).removeprefix("Value error, ").replace("Input should be ", "must be ")


def _advice(problem: ErrorDetails) -> str:
    known: dict[str, Any] = FormatSettings.model_fields
    if not problem["loc"]:
        return "Change one of the two."
    key = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":
        return f"{did_you_mean(difflib.get_close_matches(key, known, n=1))}Known: {', '.join(known)}."
    return f"Allowed: {_ALLOWED[key]}."


_ALLOWED = {
    "delimiter": "1 to 16 characters without line ends, or tab, comma, semicolon, pipe, space",
    "quote": 'one ASCII character, or "none"',
    "escape": 'one ASCII character, or "none"',
    "header": 'true, false or "auto"',
    "encoding": "auto, utf-8, utf-16, latin-1, cp1252",
    "skip_lines": "a whole number of lines, 0 or more",
    "null_values": 'a list of texts, such as ["NA", "NULL"]',
    "date_format": 'a strptime pattern, such as "%d.%m.%Y"',
    "timestamp_format": 'a strptime pattern, such as "%d.%m.%Y %H:%M:%S"',
    "max_record_mib": "a whole number of MiB, 1 to 1024",
    "undeclared": "infer, error",
}
