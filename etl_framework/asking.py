"""Checks of files that have to know something of the warehouse: it is asked once, before the first part is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from etl_framework.errors import ConnectError, NoPluginError
from etl_framework.protocols import Asking
from etl_framework.values import Check

if TYPE_CHECKING:
    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Validator, Warehouse
    from etl_framework.survey import Survey
    from etl_framework.values import Job

Answers = Mapping[int, object]
"""What the warehouse said, by the index of the check among all of a part: it is the same for every part."""


def ask_first(job: Job, survey: Survey, plugins: Plugins, warehouse: Callable[[], Warehouse]) -> Answers:
    """Let the checks of files ask the warehouse what they have to know.

    :param warehouse: connects; called only when something is asked.
    :returns: the answers; None for a check that can do without, where the warehouse is out of reach.
    :raises ConnectError: it is out of reach, and a check cannot do without.
    :raises EtlError: a question cannot be answered, or a plugin is broken.
    """
    if job.check not in (Check.FILE, Check.BOTH):
        return {}
    found = plugins.validators(job, survey.analyses[0])
    asking = {at: (plugin, check) for at, (plugin, check) in enumerate(found) if isinstance(check, Asking)}
    if not asking:
        return {}
    try:
        connected = warehouse()
    except (ConnectError, NoPluginError):
        if any(check.insists for _, check in asking.values()):
            raise
        return dict.fromkeys(asking)
    answers = {}
    for at, (plugin, check) in asking.items():
        with plugins.blaming(plugin, "etl_validate"):
            answers[at] = check.ask(connected)
    return answers


def tell(validators: Sequence[tuple[str, Validator]], answers: Answers, plugins: Plugins) -> None:
    """Hand each check of a part the answer to its question."""
    for at, answer in answers.items():
        plugin, check = validators[at]
        if isinstance(check, Asking):
            with plugins.blaming(plugin, "etl_validate"):
                check.tell(answer)
