"""What looks at rows: checks of files, block by block, checks of tables, by SQL, and profilers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from etl_framework.profiles import Profile
    from etl_framework.protocols.formats import Block
    from etl_framework.protocols.warehouses import Warehouse
    from etl_framework.rows import Rows
    from etl_framework.values import Figure, Finding


class Validator(Protocol):
    """A mergeable check: one accumulator per part, merged in any order into a new one, which finishes.

    Picklable after any ``update``: it travels between processes and rests in the journal. What cannot be pickled, it
    may leave behind: one that travelled is only merged into another.
    """

    name: str

    def update(self, block: Block) -> None:
        """Look at the next block of the part; the batch must not be changed or kept."""

    def merge(self, other: Self) -> None:
        """Take in what another accumulator of the same check saw; the order of parts must not matter."""

    def finish(self) -> Iterable[Finding]:
        """The findings; samples may hold a position within a part (``Sample.part``)."""


@runtime_checkable
class Spilling(Protocol):
    """What a validator offers beside :class:`Validator` when it keeps more than memory should hold.

    It writes to files, whose paths travel with it. Merging and finishing read them; they are there until the run ends.
    A new one that takes in all others and finishes has no folder of its own.
    """

    def spill_to(self, folder: Path) -> None:
        """Write files into this folder only; called before the first ``update`` of a part.

        :param folder: empty, there, and of this accumulator alone.
        """

    def settle(self) -> None:
        """Write out what is still in memory, and close the files: the part has ended."""

    def is_whole(self) -> bool:
        """Whether the files are as ``settle`` left them, by their names and sizes; asked when a run is resumed.

        Where they are not, the part is read again.
        """


@runtime_checkable
class Naming(Protocol):
    """What a check offers beside :class:`Validator` or :class:`TableCheck` when its rules have names of their own.

    Reports then tell of each rule that it was made, whether it found something or not.

    :ivar rule_names: the rules of the findings that it could give.
    """

    rule_names: Sequence[str]


@runtime_checkable
class Measuring(Protocol):
    """What a check offers beside :class:`Validator` or :class:`TableCheck` when later runs are to know its figures.

    They are kept with the run's report. When the job runs the next time, those of the last good run in which the check
    gave any are there under its name in ``Job.previous``.
    """

    def measures(self) -> Mapping[str, Figure]:
        """The figures by name, of everything that was seen; asked after ``finish``, or after ``run``."""


class Profiler(Protocol):
    """Makes a profile: one accumulator per part, merged in any order, finished once.

    Picklable after any ``update``: it travels between processes.
    """

    def update(self, block: Block) -> None:
        """Look at the next block of the part, one without good rows included; nothing of it must be changed or kept."""

    def merge(self, other: Self) -> None:
        """Take in what another accumulator saw; the order of parts must not matter."""

    def finish(self) -> Profile:
        """The profile of everything that was seen."""


@runtime_checkable
class Asking(Protocol):
    """What a validator offers beside :class:`Validator` when it has to know something of the warehouse.

    It is asked for the first source, so that a check that asks must be made of every source, or not of the later ones.

    :ivar insists: whether it cannot do without; else a warehouse that is out of reach hinders nothing.
    """

    insists: bool

    def ask(self, warehouse: Warehouse) -> object:
        """Ask, before the first part is read; called once, of an accumulator that sees no block.

        A run that is resumed asks no second time: its parts are judged by one answer.

        :returns: what every part's accumulator is told; picklable, and small enough to be in memory many times.
        :raises UsageError: the question makes no sense.
        :raises RunFailed: the warehouse cannot answer.
        """

    def tell(self, answer: object | None) -> None:
        """Take the answer in; called before the first ``update`` of a part, with None where nobody could be asked."""


class TableCheck(Protocol):
    """A check of rows that are in a warehouse, by SQL.

    :ivar name: the rule's name in findings; the same as that of the check of files that asks the same.
    """

    name: str

    def run(self, rows: Rows) -> Iterable[Finding]:
        """Ask, and tell what was found.

        :raises RunFailed: the warehouse cannot run the query; the check then counts as failed.
        :raises UsageError: the rows do not suit the check, for example because a column is missing.
        """
