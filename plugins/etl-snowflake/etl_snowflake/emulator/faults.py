"""Faults on demand, and the log of requests."""

from typing import TYPE_CHECKING

from starlette.requests import Request

if TYPE_CHECKING:
    from etl_snowflake.emulator.queries import Query


class Faults:
    """The rules in force."""

    def release(self) -> None:
        """Let everything go that is stalled."""

    def wake(self) -> None:
        """Look again whether a stalled query was cancelled."""

    def delay_query(self, query: "Query") -> None:
        """Hold a query back."""

    def note_defect(self, error: Exception) -> None:
        """Keep an error of the emulator itself for the log."""

    def kept_fraction(self, request: Request) -> float | None:
        """How much of an upload is stored; None stores all of it."""
        return None

    async def throttle(self, size: int) -> None:
        """Wait until this many bytes may pass."""
