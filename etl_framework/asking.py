"""Checks of files that have to know something of the warehouse: it is asked once, before the first part is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from etl_framework.errors import ConnectError, NoPluginError, UnreadableRun
from etl_framework.keeping import keep, kept
from etl_framework.merging import CheckKey, keyed
from etl_framework.pickling import pickled, unpickled
from etl_framework.protocols import Asking
from etl_framework.values import Check

if TYPE_CHECKING:
    from pathlib import Path

    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Validator, Warehouse
    from etl_framework.survey import Survey
    from etl_framework.values import Job

Answers = Mapping[CheckKey, object]
"""What the warehouse said to each check: the same for every part."""
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
    found = keyed(plugins.validators(job, survey.analyses[0]))
    asking = {key: check for key, check in found if isinstance(check, Asking)}
    if folder and (before := kept(folder, _KEPT)):
        return _told_before(before, asking, folder.name)
    if not asking:
        return {}
    try:
        connected = warehouse()
    except (ConnectError, NoPluginError):
        if any(check.insists for check in asking.values()):
            raise
        return dict.fromkeys(asking)
    answers, written = {}, {}
    for key, check in asking.items():
        with plugins.blaming(key[0], "etl_validate"):
            answers[key] = check.ask(connected)
            written[key] = pickled(answers[key]) if folder else b""
    if folder:
        keep(folder, _KEPT, written)
    return answers


def _told_before(written: Mapping[CheckKey, bytes], asking: Mapping[CheckKey, object], run: str) -> Answers:
    if written.keys() != asking.keys():
        raise UnreadableRun(
            f"run {run} began with other checks that ask the warehouse",
            advice="Finish it with the versions that began it, or begin anew with `etl load`.",
        )
    return {key: unpickled(answer, run) for key, answer in written.items()}


def tell(validators: Iterable[tuple[str, Validator]], answers: Answers, plugins: Plugins) -> None:
    """Hand each check of a part the answer to its question.

    :raises HookFailed: one asks that was none of the first source's, when the warehouse was asked.
    """
    for key, check in keyed(validators):
        if isinstance(check, Asking):
            with plugins.blaming(key[0], "etl_validate"):
                if key not in answers:
                    raise ValueError(f"the check {check.name!r} asks the warehouse, but is none of the first source")
                check.tell(answers[key])
