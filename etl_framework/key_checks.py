"""Checks over rows that belong together: mergeable validators made from figures of each key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from etl_framework.checks import MOST_SAMPLES, failing_rows, shown
from etl_framework.figures import Figures, in_words, insist_on_figures, values_of
from etl_framework.origins import MadeAt
from etl_framework.terminal import counted
from etl_framework.values import Finding, Sample, Severity

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from etl_framework.protocols import Block

MOST_KEYS = 1_000_000
"""Keys that a check holds unless it says otherwise."""

_LINES = 40
"""Bits of a place that tell the line; those above tell the part."""

_PLACE = "first place"
_FEW_ROWS = 1 << 17
"""Groups that may wait until they are put together."""


def key_check(
    name: str,
    keys: str | Sequence[str],
    figures: Figures,
    good: Callable[[pa.RecordBatch], pa.Array],
    *,
    severity: Severity = Severity.ERROR,
    reason: str = "",
    advice: str = "",
    most_keys: int = MOST_KEYS,
) -> KeyCheck:
    """A validator from figures of each key and a predicate over the keys; samples show the first line of a key.

    >>> import pyarrow.compute as pc
    >>> figures = {"lowest": ("price", "min"), "highest": ("price", "max")}
    >>> key_check("one_price", "isin", figures, lambda keys: pc.equal(keys["lowest"], keys["highest"])).name
    'one_price'

    Holds the figures of every key in memory, of each part until all are merged: some 50 bytes and the key itself, and
    six times as much for a moment when they are put together. More keys than ``most_keys`` are a finding of severity
    error, since nothing is known then. Sums of floats are refused, since they would depend on the order of the parts:
    give a function that casts the values to a decimal.

    :param name: the rule's name in findings.
    :param keys: the column, or columns, whose values make a key; null is a value of its own.
    :param figures: by name, a pair: a column, or a function that computes an array from a batch with one value per row;
        and ``sum``, ``min``, ``max`` or ``count`` of its values that are not null. ``(None, "count")`` counts rows.
    :param good: given a batch with a row per key, which has the columns of the keys and the figures, a boolean array
        with one value per row: whether the key is good; null counts as good, as in SQL's CHECK.
    :param severity: what a bad key means for the run.
    :param reason: why a bad key is bad, for people; samples add the figures.
    :param advice: the likely cause and what to do.
    :param most_keys: keys to hold at most.
    :raises ValueError: a figure is unknown, or has the name of a key.
    """
    columns = (keys,) if isinstance(keys, str) else tuple(keys)
    insist_on_figures(name, figures)
    if not columns or len({*columns, *figures, _PLACE}) <= len(columns) + len(figures):
        raise ValueError(f"{name}: keys and figures need names of their own, and at least one key")
    return KeyCheck(name, columns, figures, good, severity=severity, reason=reason, advice=advice, most_keys=most_keys)


class KeyCheck:
    """See :func:`key_check`.

    Leaves its functions behind when pickled: an accumulator that travelled is merged into a new one, which finishes.
    """

    def __init__(
        self,
        name: str,
        keys: tuple[str, ...],
        figures: Figures,
        good: Callable[[pa.RecordBatch], pa.Array],
        *,
        severity: Severity,
        reason: str,
        advice: str,
        most_keys: int,
    ) -> None:
        self.name = name
        self._keys = keys
        self._figures: Figures | None = figures
        self._good: Callable[[pa.RecordBatch], pa.Array] | None = good
        self._severity = severity
        self._reason = reason or f"fails {name}"
        self._advice = advice
        self._most_keys = most_keys
        self._made = MadeAt(name)
        # Counts of counts add up, and so do sums; the extreme of extremes is the extreme.
        self._merging = {figure: "sum" if how == "count" else how for figure, (_, how) in figures.items()}
        self._merging[_PLACE] = "min"
        self._files: dict[int, str] = {}
        self._whole: pa.Table | None = None
        self._waiting: list[pa.Table] = []
        self._too_many = False

    def __getstate__(self) -> dict[str, Any]:
        self._put_together()
        return {**self.__dict__, "_figures": None, "_good": None}

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.protocols.Validator.update`."""
        assert self._figures is not None, "an accumulator that travelled only merges"
        if block.batch.num_rows and not self._too_many:
            with self._made:
                self._take(self._groups(block, self._figures))

    def _groups(self, block: Block, figures: Figures) -> pa.Table:
        import numpy as np
        import pyarrow as pa

        batch = block.batch
        rows = pa.array(np.arange(batch.num_rows))
        columns = {key: values_of(self.name, batch, key) for key in self._keys}
        for figure, (of, how) in figures.items():
            values = rows if of is None else values_of(self.name, batch, of)
            columns[figure] = self._summable(figure, values) if how == "sum" else values
        hows = {figure: how for figure, (_, how) in figures.items()}
        groups = self._grouped(pa.table({**columns, _PLACE: rows}), {**hows, _PLACE: "min"})
        groups = groups.sort_by(_PLACE)
        lines = _lines(block, groups[_PLACE].to_numpy())
        at = groups.schema.get_field_index(_PLACE)
        self._files[block.part] = block.source
        return groups.set_column(at, _PLACE, pa.array((block.part << _LINES) + lines))

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.protocols.Validator.merge`."""
        self._files |= other._files
        self._too_many |= other._too_many
        for table in (other._whole, *other._waiting):
            if table is not None:
                self._take(table)

    def finish(self) -> Iterable[Finding]:
        """See :meth:`etl_framework.protocols.Validator.finish`."""
        import pyarrow as pa

        assert self._good is not None, "an accumulator that travelled only merges"
        self._put_together()
        if self._too_many:
            yield Finding(
                rule=self.name,
                severity=Severity.ERROR,
                count=1,
                message=f"could not be made: there are more than {self._most_keys:,} keys ({', '.join(self._keys)})",
                advice="Give the check fewer keys to hold, or a larger most_keys where the memory is there.",
            )
        elif self._whole is not None:
            with self._made:
                batches = [self._bad(batch, self._good) for batch in self._whole.to_batches()]
            bad = pa.Table.from_batches(batches, self._whole.schema)
            if bad.num_rows:
                yield self._finding(bad)

    def _bad(self, groups: pa.RecordBatch, good: Callable[[pa.RecordBatch], pa.Array]) -> pa.RecordBatch:
        return groups.take(failing_rows(self.name, groups.drop_columns([_PLACE]), good))

    def _finding(self, bad: pa.Table) -> Finding:
        first = bad.sort_by(_PLACE).slice(0, MOST_SAMPLES).to_pylist()
        return Finding(
            rule=self.name,
            severity=self._severity,
            count=bad.num_rows,
            message=f"{counted(bad.num_rows, 'key')} ({', '.join(self._keys)}): {self._reason}",
            advice=self._advice,
            samples=tuple(map(self._sample, first)),
        )

    def _sample(self, row: dict[str, Any]) -> Sample:
        place = row.pop(_PLACE)
        key = {name: row.pop(name) for name in self._keys}
        alone = self._keys[0] if len(self._keys) == 1 else None
        value = in_words(key) if alone is None else key[alone]
        return Sample(
            file=self._files[place >> _LINES],
            part=place >> _LINES,
            line=place & ((1 << _LINES) - 1),
            column=alone,
            value=shown(value),
            reason=f"{self._reason}: {in_words(row)}",
        )

    def _summable(self, figure: str, values: pa.Array) -> pa.Array:
        import pyarrow as pa

        if pa.types.is_integer(values.type):
            # Arrow's sums of integers wrap around at 64 bits.
            return values.cast(pa.decimal128(20, 0))
        if pa.types.is_decimal(values.type):
            return values
        raise TypeError(
            f"{self.name}: values of type {values.type} have no sum that is the same in any order; let figure "
            f"{figure!r} be of a function that casts them to a decimal, such as pyarrow.decimal128(38, 6)"
        )

    def _grouped(self, table: pa.Table, hows: Mapping[str, str]) -> pa.Table:
        groups = table.group_by(list(self._keys), use_threads=False).aggregate(list(hows.items()))
        # In one piece: Arrow gives slices of the same memory, each of which would travel with all of it.
        return groups.rename_columns([*self._keys, *hows]).combine_chunks()

    def _take(self, groups: pa.Table) -> None:
        """Take in groups; they wait until there are so many that putting all together costs little for each."""
        if self._too_many:
            return
        self._waiting.append(groups)
        waiting = sum(table.num_rows for table in self._waiting)
        if waiting >= max(_FEW_ROWS, self._whole.num_rows if self._whole else 0):
            self._put_together()

    def _put_together(self) -> None:
        import pyarrow as pa

        tables = [table for table in (self._whole, *self._waiting) if table is not None]
        if len(tables) > 1:
            with self._made:
                self._whole = self._grouped(pa.concat_tables(tables), self._merging)
        elif tables:
            [self._whole] = tables
        self._waiting = []
        if self._too_many or (self._whole and self._whole.num_rows > self._most_keys):
            self._too_many = True
            self._whole = None


def _lines(block: Block, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The lines that records begin on, given by ascending rows."""
    import numpy as np

    first, last = (where.line for where in block.positions([0, block.batch.num_rows - 1]))
    if last - first == block.batch.num_rows - 1:
        # So every record has one line, and no other lies between them.
        return rows + first
    return np.array([where.line for where in block.positions(rows.tolist())], np.int64)
