"""What is asked of the columns of a block by several that do not know of each other, found out once.

Parsing, control totals and checks all want the smallest and the largest value of a column, some of them its different
values. They ask functions that :func:`once_per_block` made, and a part's reader says when a block begins.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")


class _OfThread(threading.local):
    answers: dict[tuple[object, ...], tuple[pa.Array, Any]] | None = None


_of_thread = _OfThread()


def once_per_block(ask: Callable[[pa.Array], T]) -> Callable[[pa.Array], T]:
    """Keep what a function says of an array while :func:`remembering` lasts; outside of it, ask every time.

    :param ask: depends on nothing but the values.
    """

    @wraps(ask)
    def asked(values: pa.Array) -> T:
        answers = _of_thread.answers
        if answers is None:
            return ask(values)
        key = _key(asked, values)
        if key not in answers:
            # The array stays with its answer, so that no other one can come to lie in its place meanwhile.
            answers[key] = (values, ask(values))
        answer: T = answers[key][1]
        return answer

    return asked


def known(asked: Callable[[pa.Array], T], values: pa.Array) -> T | None:
    """What a function of :func:`once_per_block` said of an array since the block began; None where nobody asked."""
    answers = _of_thread.answers
    if not answers:
        return None
    answer: T | None = answers.get(_key(asked, values), (None, None))[1]
    return answer


def _key(asked: Callable[[pa.Array], object], values: pa.Array) -> tuple[object, ...]:
    # Whoever takes a column out of a batch has an object of his own; where its values lie is the same.
    places = [None if buffer is None else buffer.address for buffer in values.buffers()]
    return (asked, values.type, values.offset, len(values), *places)


@contextmanager
def remembering() -> Iterator[Callable[[], None]]:
    """Keep answers in this thread.

    :returns: forgets them; to be called before the values of a block may change.
    """
    before, answers = _of_thread.answers, dict[tuple[object, ...], tuple["pa.Array", Any]]()
    _of_thread.answers = answers
    try:
        yield answers.clear
    finally:
        _of_thread.answers = before
