"""The checks of one part: every validator sees every block, and what one of them does wrong is told with its name."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import xxhash

from etl_framework.protocols import Spilling
from etl_framework.time_limit import within

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Block, Validator


class PartChecks:
    """The validators of one part.

    :param validators: pairs of plugin name and new accumulator.
    :param folder: where the files of this part's checks go that keep more than memory should hold.
    :param timeout: seconds that one of them may take for one block.
    :ivar seconds: by plugin, how long its validators took.
    """

    def __init__(
        self, validators: Sequence[tuple[str, Validator]], folder: Path, plugins: Plugins, *, timeout: float
    ) -> None:
        self.validators = tuple(validators)
        self.seconds: dict[str, float] = {}
        self._plugins = plugins
        self._timeout = timeout
        self._watched = False
        for number, (plugin, validator) in enumerate(self.validators):
            if isinstance(validator, Spilling):
                # An earlier attempt may have left something there.
                own = folder.with_name(f"{folder.name}-{number:02}")
                rmtree(own, ignore_errors=True)
                own.mkdir(parents=True)
                with plugins.blaming(plugin, "etl_validate"):
                    validator.spill_to(own)

    def update(self, block: Block) -> None:
        """Have every validator look at the next block.

        A block into which Python code could write, and the first of a part in any case, is compared with what it was
        before. Looking at every one would cost as much as some checks do; what is loaded is safe all the same, since a
        block is packed before it is checked.

        :raises HookFailed: a validator raised, took too long, or changed the batch.
        """
        watched = bool(self.validators) and (not self._watched or _is_writable(block.batch))
        before = _digest(block.batch) if watched else None
        for plugin, validator in self.validators:
            began = time.perf_counter()
            with self._plugins.blaming(plugin, "etl_validate"):
                within(
                    self._timeout,
                    partial(validator.update, block),
                    f"the check {validator.name!r} took more than {self._timeout:g} s for one block; where it may, "
                    "check_timeout says so",
                )
                if before is not None and _digest(block.batch) != before:
                    raise ValueError(f"the check {validator.name!r} changed the batch that it was to look at")
            self.seconds[plugin] = self.seconds.get(plugin, 0.0) + time.perf_counter() - began
        self._watched = True

    def settle(self) -> None:
        """The part has ended: what is kept in files is written out."""
        for plugin, validator in self.validators:
            if isinstance(validator, Spilling):
                with self._plugins.blaming(plugin, "etl_validate"):
                    validator.settle()

    def insist_that_they_travel(self) -> None:
        """Try to pickle every validator, so that one that cannot be is told with its name.

        :raises HookFailed: one cannot.
        """
        for plugin, validator in self.validators:
            with self._plugins.blaming(plugin, "etl_validate"):
                try:
                    pickle.dumps(validator)
                except (pickle.PicklingError, TypeError, AttributeError) as error:
                    # Each version of Python has words of its own.
                    raise TypeError(f"the check {validator.name!r} cannot be pickled: {error}") from error


def _buffers(batch: pa.RecordBatch) -> Iterator[pa.Buffer]:
    return (buffer for column in batch.columns for buffer in column.buffers() if buffer is not None)


def _is_writable(batch: pa.RecordBatch) -> bool:
    """Whether somebody gets a view to write through, as of what is no `read_only` array."""
    return any(buffer.is_mutable for buffer in _buffers(batch))


def _digest(batch: pa.RecordBatch) -> bytes:
    digest = xxhash.xxh3_128()
    for buffer in _buffers(batch):
        digest.update(buffer)
    return digest.digest()
