"""Checks of files that have to know something of the warehouse: it is asked once, before the first part is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from etl_framework.errors import ConnectError, NoPluginError, UnreadableRun
from etl_framework.keeping import keep, kept
from etl_framework.pickling import pickled, unpickled
from etl_framework.protocols import Asking
from etl_framework.values import Check

if TYPE_CHECKING:
    from pathlib import Path

    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Validator, Warehouse
    from etl_framework.survey import Survey
    from etl_framework.values import Job

Answers = Mapping[int, object]
"""What the warehouse said, by the index of the check among all of a part: it is the same for every part."""
_KEPT = "answers"


def ask_first(
    job: Job, survey: Survey, plugins: Plugins, warehouse: Callable[[], Warehouse], *, folder: Path | None = None
) -> Answers:
    """Let the checks of files ask the warehouse what they have to know.

    :param warehouse: connects; called only when something is asked.
    :param folder: of the run, which keeps the answers: resumed, it goes by what its first parts were judged by. None
        where nothing is resumed.
    :returns: the answers; None for a check that can do without, where the warehouse is out of reach.
    :raises ConnectError: it is out of reach, and a check cannot do without.
    :raises UnreadableRun: other checks asked when the run began.
    :raises EtlError: a question cannot be answered, or a plugin is broken.
    """
    if job.check not in (Check.FILE, Check.BOTH):
        return {}
    found = plugins.validators(job, survey.analyses[0])
    asking = {at: (plugin, check) for at, (plugin, check) in enumerate(found) if isinstance(check, Asking)}
    if not asking:
        return {}
    who = {at: (plugin, check.name) for at, (plugin, check) in enumerate(found) if at in asking}
    if folder and (before := kept(folder, _KEPT)):
        return _told_before(before, who, folder.name)
    try:
        connected = warehouse()
    except (ConnectError, NoPluginError):
        if any(check.insists for _, check in asking.values()):
            raise
        return dict.fromkeys(asking)
    answers, written = {}, {}
    for at, (plugin, check) in asking.items():
        with plugins.blaming(plugin, "etl_validate"):
            answers[at] = check.ask(connected)
            written[at] = pickled(answers[at]) if folder else b""
    if folder:
        keep(folder, _KEPT, (who, written))
    return answers


def _told_before(
    before: tuple[Mapping[int, tuple[str, str]], Mapping[int, bytes]], who: Mapping[int, tuple[str, str]], run: str
) -> Answers:
    who_asked, written = before
    if who_asked != who:
        raise UnreadableRun(
            f"run {run} began with other checks that ask the warehouse",
            advice="Finish it with the versions that began it, or begin anew with `etl load`.",
        )
    return {at: unpickled(answer, run) for at, answer in written.items()}


def tell(validators: Sequence[tuple[str, Validator]], answers: Answers, plugins: Plugins) -> None:
    """Hand each check of a part the answer to its question."""
    for at, answer in answers.items():
        plugin, check = validators[at]
        if isinstance(check, Asking):
            with plugins.blaming(plugin, "etl_validate"):
                check.tell(answer)
