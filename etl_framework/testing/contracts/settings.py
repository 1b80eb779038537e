"""The contract of plugins that read sections of a job."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from etl_framework.errors import UsageError
from etl_framework.testing.checking import literal_job
from etl_framework.testing.contracts.base import PluginContract
from etl_framework.values import Mode

if TYPE_CHECKING:
    from etl_framework.values import Job

_UNKNOWN = "no such key as this"


class SettingsContract(PluginContract):
    """Sections have names, a job without them is right, and what is wrong in one is named.

    >>> class TestOurSettings(SettingsContract):
    ...     def plugin(self):
    ...         return acme_stats
    """

    def sections(self) -> list[str]:
        """The sections that the plugin names for a job that has none of them."""
        return [name for _, name in self.plugins().configure(literal_job())]

    def test_its_sections_have_names(self) -> None:
        """What is named twice, or with nothing, is a mistake."""
        names = self.sections()
        assert all(names)
        assert len({*names}) == len(names), f"{', '.join(names)}: a section is named twice"

    def test_its_sections_are_the_same_for_every_job(self) -> None:
        """Else whether a name is misspelt would depend on other settings."""
        others = (replace(literal_job(), mode=Mode.MERGE, keys=("id",)), replace(literal_job(), target="other:place"))
        for job in others:
            assert [name for _, name in self.plugins().configure(job)] == self.sections()

    def test_what_is_wrong_in_a_section_is_named(self) -> None:
        """So that the message can say in which line it stands; a plugin may leave it to a later hook."""
        for name in self.sections():
            wrong = self._said_of(replace(literal_job(), sections={name: {_UNKNOWN: 1}}))
            if wrong is not None:
                assert wrong.key.partition(".")[0] == name, f"{wrong}: its key is {wrong.key!r}, not {name}.KEY"
                assert "." not in wrong.key or wrong.key in wrong.message, f"{wrong}: it does not name {wrong.key}"

    def _said_of(self, job: Job) -> UsageError | None:
        try:
            self.plugins().configure(job)
        except UsageError as error:
            return error
        return None
