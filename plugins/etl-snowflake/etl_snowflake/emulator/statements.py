"""Reads the statements that the emulator executes itself: tokens, names, stage references, options."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from etl_snowflake.emulator.errors import SnowflakeError, syntax_error

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*|/\*.*?\*/)
    | (?P<string>'(?:[^'\\]|''|\\.)*'|\$\$.*?\$\$)
    | (?P<url>file://[^\s;]+)
    | (?P<stage>@(?:"(?:[^"]|"")*"|[^\s"'(),;])+)
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<word>[A-Za-z_][\w$]*)
    | (?P<punctuation>=>|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"''|\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[0-7]{3}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f"}
_PART = re.compile(r'"((?:[^"]|"")*)"|([^"./]+)')


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind (string, word, …), its text as written, its span in the statement in characters."""

    kind: str
    text: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        """Whether this is one of these keywords, which are given in upper case."""
        return self.kind == "word" and self.text.upper() in words


@dataclass(frozen=True, slots=True)
class StageReference:
    """`@namespace.stage/path`, the namespace as far as it is given; `~` is the user's, `%table` a table's stage."""

    namespace: tuple[str, ...]
    name: str
    path: str


def unescape(literal: str) -> str:
    """The text of a string literal, with its quotes as written."""
    if literal.startswith("$$"):
        return literal[2:-2]

    def one(match: re.Match[str]) -> str:
        code = match[1]
        if code is None:
            return "'"
        if code[0] in "xu" and len(code) > 1:
            return chr(int(code[1:], 16))
        if len(code) == 3:
            return chr(int(code, 8))
        return _ESCAPED.get(code, code)

    return _ESCAPE.sub(one, literal[1:-1])


def identifier(text: str) -> str:
    """An identifier's name: quoted as it stands, unquoted in upper case."""
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.upper()


def stage_reference(text: str) -> StageReference:
    """Take `@stage/path` apart.

    :raises SnowflakeError: it does not start with @, or names no stage.
    """
    if not text.startswith("@"):
        raise syntax_error(text)
    position = 1
    names: list[str] = []
    while True:
        percent = text[position : position + 1] == "%"
        match = _PART.match(text, position + percent)
        if match is None:
            raise syntax_error(text)
        name = match[1].replace('""', '"') if match[1] is not None else match[2].upper()
        names.append(("%" if percent else "") + name)
        position = match.end()
        if text[position : position + 1] != ".":
            break
        position += 1
    return StageReference(tuple(names[:-1]), names[-1], text[position:].lstrip("/"))


class Statement:
    """A cursor over a statement's tokens."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        tokens = [Token(m.lastgroup or "", m[0], m.start(), m.end()) for m in _TOKEN.finditer(sql)]
        self.tokens = [t for t in tokens if t.kind != "space"]
        while self.tokens and self.tokens[-1].text == ";":
            self.tokens.pop()
        self.position = 0

    def peek(self, ahead: int = 0) -> Token:
        """The token that comes next, an empty one at the end."""
        index = self.position + ahead
        return self.tokens[index] if index < len(self.tokens) else Token("end", "", len(self.sql), len(self.sql))

    def take(self) -> Token:
        """The next token, consumed."""
        token = self.peek()
        self.position += 1
        return token

    def starts_with(self, *words: str) -> bool:
        """Whether the next tokens are these keywords."""
        return all(self.peek(i).is_word(word) for i, word in enumerate(words))

    def accept(self, *words: str) -> bool:
        """Consume these keywords if they come next."""
        if not self.starts_with(*words):
            return False
        self.position += len(words)
        return True

    def accept_mark(self, mark: str) -> bool:
        """Consume this punctuation if it comes next."""
        if self.peek().kind == "punctuation" and self.peek().text == mark:
            self.position += 1
            return True
        return False

    def expect_mark(self, mark: str) -> None:
        """Consume this punctuation.

        :raises SnowflakeError: something else comes next.
        """
        if not self.accept_mark(mark):
            raise self.unexpected()

    def unexpected(self) -> SnowflakeError:
        """The compilation error at the next token."""
        return syntax_error(self.peek().text or "<EOF>", self.peek().start)

    def end(self) -> None:
        """Require the end of the statement.

        :raises SnowflakeError: something is left.
        """
        if self.peek().kind != "end":
            raise self.unexpected()

    def identifier(self) -> str:
        """The next token as an identifier."""
        token = self.take()
        if token.kind not in ("word", "quoted"):
            self.position -= 1
            raise self.unexpected()
        return identifier(token.text)

    def name(self) -> tuple[str, ...]:
        """A dotted name, one to three parts; `IDENTIFIER('…')` too."""
        if self.starts_with("IDENTIFIER") and self.peek(1).text == "(":
            self.position += 2
            parts = Statement(self.string()).name()
            self.expect_mark(")")
            return parts
        names = [self.identifier()]
        while self.accept_mark("."):
            names.append(self.identifier())
        return tuple(names)

    def string(self) -> str:
        """The next token as a string literal's text."""
        token = self.take()
        if token.kind != "string":
            self.position -= 1
            raise self.unexpected()
        return unescape(token.text)

    def stage(self) -> StageReference:
        """A stage reference, bare or in quotes."""
        token = self.take()
        if token.kind == "stage":
            return stage_reference(token.text)
        if token.kind == "string":
            return stage_reference(unescape(token.text))
        self.position -= 1
        raise self.unexpected()

    def value(self) -> object:
        """An option's value: text, a keyword in upper case, an integer, True or False, or a tuple of these."""
        if self.accept_mark("("):
            values = []
            while not self.accept_mark(")"):
                values.append(self.value())
                self.accept_mark(",")
            return tuple(values)
        token = self.take()
        match token.kind:
            case "string":
                return unescape(token.text)
            case "number":
                return int(float(token.text))
            case "quoted":
                return identifier(token.text)
            case "word":
                return {"TRUE": True, "FALSE": False}.get(token.text.upper(), token.text.upper())
        self.position -= 1
        raise self.unexpected()

    def options(self, special: dict[str, Callable[["Statement"], object]] | None = None) -> dict[str, object]:
        """`NAME = value …` up to the end or a closing parenthesis, names in upper case.

        :param special: readers of values with a grammar of their own, by option name.
        """
        found: dict[str, object] = {}
        while self.peek().kind != "end" and self.peek().text != ")":
            name = self.identifier()
            if not self.accept_mark("="):
                self.expect_mark("=>")
            found[name] = (special or {}).get(name, Statement.value)(self)
            self.accept_mark(",")
        return found
