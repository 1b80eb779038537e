"""The checks of all parts together: one accumulator of each takes in all others, and finishes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from etl_framework.findings import rules_of, sound_findings, sound_measures

if TYPE_CHECKING:
    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Validator
    from etl_framework.survey import Survey
    from etl_framework.values import Figure, Finding, Job, Measures, Part

CheckKey = tuple[str, str, int]
"""Plugin, name of the check, and which of its name: two checks of one plugin may share a name."""


def keyed(validators: Iterable[tuple[str, Validator]]) -> Iterator[tuple[CheckKey, Validator]]:
    """The validators of one call; they come in the same order from every one."""
    namesakes: Counter[tuple[str, str]] = Counter()
    for plugin, validator in validators:
        yield (plugin, validator.name, namesakes[plugin, validator.name]), validator
        namesakes[plugin, validator.name] += 1


class MergedChecks:
    """The validators of all parts together."""

    def __init__(self, job: Job, survey: Survey, plugins: Plugins) -> None:
        self._job = job
        self._survey = survey
        self._plugins = plugins
        self._merged: dict[CheckKey, Validator] = {}
        self._parts: set[int] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the rules of the checks that were made.

        :raises HookFailed: a check tells what is none.
        """
        names: dict[str, None] = {}
        for (plugin, _, _), validator in self._merged.items():
            with self._plugins.blaming(plugin, "etl_validate"):
                names |= dict.fromkeys(rules_of(validator))
        return tuple(names)

    def merge(self, validators: Iterable[tuple[str, Validator]], part: Part) -> None:
        """Take in those of the next part.

        :raises HookFailed: one cannot be merged.
        """
        self._parts.add(part.number)
        learned = dict(keyed(validators))
        if learned.keys() - self._merged.keys():
            # New ones finish: what travelled has left behind what cannot be pickled.
            new = keyed(self._plugins.validators(self._job, self._survey.analyses[part.source]))
            self._merged |= {key: check for key, check in new if key in learned and key not in self._merged}
        for key, validator in learned.items():
            with self._plugins.blaming(key[0], "etl_validate"):
                if key not in self._merged:
                    raise ValueError(f"it gave the check {validator.name!r} for a part, and none to merge it")
                self._merged[key].merge(validator)

    def finish(self) -> tuple[list[Finding], Measures]:
        """What they found, and what they measured.

        :raises HookFailed: one fails, or answers what is none.
        """
        findings: list[Finding] = []
        measures: dict[str, Mapping[str, Figure]] = {}
        for (plugin, _, _), validator in self._merged.items():
            with self._plugins.blaming(plugin, "etl_validate"):
                findings.extend(sound_findings(validator.finish(), self._parts))
                if figures := sound_measures(validator):
                    measures[validator.name] = {**measures.get(validator.name, {}), **figures}
        return findings, measures
