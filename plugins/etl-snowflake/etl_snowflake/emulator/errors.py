"""Errors in Snowflake's numbering, as the emulator sends them to a driver."""

NOT_EMULATED = 391999


class SnowflakeError(Exception):
    """A statement failed.

    :param message: text as Snowflake words it.
    :param errno: Snowflake's error number.
    :param sqlstate: five characters.
    """

    def __init__(self, message: str, errno: int, sqlstate: str = "42000") -> None:
        super().__init__(message)
        self.message = message
        self.errno = errno
        self.sqlstate = sqlstate


def not_emulated(what: str) -> SnowflakeError:
    """The refusal of something that a real account might accept."""
    return SnowflakeError(
        f"The emulator does not emulate {what}. Test this against a live account.", NOT_EMULATED, "0A000"
    )


def syntax_error(text: str, position: int = 0) -> SnowflakeError:
    """Snowflake's compilation error for an unexpected token."""
    return SnowflakeError(
        f"SQL compilation error:\nsyntax error line 1 at position {position} unexpected '{text}'.", 1003, "42000"
    )


def does_not_exist(kind: str, name: str) -> SnowflakeError:
    """An object is missing, or the role may not know that it exists."""
    return SnowflakeError(f"SQL compilation error:\n{kind} '{name}' does not exist or not authorized.", 2003, "02000")


class LoginRefusedError(Exception):
    """A login or token that the account does not accept, with Snowflake's code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
