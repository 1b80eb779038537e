"""The sessions of one run: lent to its threads, renewed when they are lost, ended by Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from etl_framework import ConnectError, Interrupted, RunFailed, first_completed, in_background, interruptible
from etl_snowflake.failing import ConnectionLost, NotReached
from etl_snowflake.retrying import attempts

if TYPE_CHECKING:
    from etl_snowflake.retrying import Tell
    from etl_snowflake.session import Session

T = TypeVar("T")

_ATTEMPTS = 4
_FIRST_LOGIN, _LATER_LOGIN = (2, 30), (6, 60)
"""How often a login is tried, and within how many seconds: whoever was let in once has the right account."""
_PATIENCE = 30
"""Seconds until work that was interrupted is left alone: Snowflake may not be reached any more."""


def _unheard(message: str) -> None:
    """Where nobody watches."""


class Pool:
    """Sessions of one run: each thread that needs one borrows one, and they are closed together.

    :param open_session: opens another one, with a tag.
    :ivar tag: the ``QUERY_TAG`` of every session that is lent.
    :ivar tell: told a sentence when something is tried again.
    """

    def __init__(self, open_session: Callable[[str], Session], tag: str) -> None:
        self._open = open_session
        self.tag = tag
        self.tell: Tell = _unheard
        self._lock = threading.Lock()
        self._idle: list[Session] = []
        self._lent: list[Session] = []
        self._stopping = False
        self._was_let_in = False

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Borrow a session; one that lost its connection is not lent again.

        :raises Interrupted: no work is to be begun any more.
        """
        session = self._borrowed()
        try:
            session.tag_with(self.tag)
            yield session
        except ConnectionLost:
            with self._lock:
                self._lent.remove(session)
            session.abandon()
            raise
        except BaseException:
            self._give_back(session)
            raise
        self._give_back(session)

    def do(self, work: Callable[[Session], T]) -> T:
        """Do what may be done twice, in a new session when the connection is lost.

        :raises ConnectionLost: it is lost again and again.
        :raises Interrupted: no work is to be begun any more.
        """
        for attempt in attempts(ConnectionLost, _ATTEMPTS, longest_wait=10, tell=self.tell):
            with attempt, self.session() as session:
                return work(session)
        raise AssertionError("the last attempt returns or raises")

    def interruptible(self, work: Callable[[], T]) -> T:
        """Do work with these sessions so that Ctrl-C ends it at once, and what Snowflake does for it."""
        return interruptible(work, self._stop, patience=_PATIENCE)

    def go_on(self) -> None:
        """Raise within work that is to end.

        :raises Interrupted: it is to end.
        """
        if self._stopping:
            raise Interrupted("the load was interrupted", advice="")

    def _stop(self) -> None:
        self._stopping = True
        with self._lock:
            busy = tuple(self._lent)
            idle = self._idle.pop() if busy and self._idle else None
        if not busy:
            return
        # By a session of its own: those that are lent wait for an answer. Another login may ask for a browser.
        with suppress(RunFailed, ConnectError), closing(idle or self._open(self.tag)) as session:
            for other in busy:
                session.cancel_all(other)

    def _borrowed(self) -> Session:
        self.go_on()
        with self._lock:
            session = self._idle.pop() if self._idle else None
        if session is None:
            session = self._logged_in()
        with self._lock:
            self._lent.append(session)
        return session

    def _logged_in(self) -> Session:
        most, within = _LATER_LOGIN if self._was_let_in else _FIRST_LOGIN
        for attempt in attempts(NotReached, most, longest_wait=8, within=within, tell=self.tell):
            with attempt:
                self.go_on()
                session = self._open(self.tag)
                self._was_let_in = True
                return session
        raise AssertionError("the last attempt returns or raises")

    def _give_back(self, session: Session) -> None:
        with self._lock:
            self._lent.remove(session)
            if session.is_open:
                self._idle.append(session)

    def close(self) -> None:
        """Close every session, and lend none any more."""
        self._stopping = True
        with self._lock:
            sessions, self._lent, self._idle = [*self._idle, *self._lent], [], []
        # Together, since each waits for an answer of its own.
        ending = {in_background(session.close, "etl-close") for session in sessions}
        while ending:
            ended, ending = first_completed(ending)
            for each in ended:
                each.result()
