"""The library's face: what the commands do, as functions for Python."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from etl_framework.config_models import JobSettings, similar
from etl_framework.errors import UsageError
from etl_framework.workspace import Workspace

if TYPE_CHECKING:
    from etl_framework.profiling import Profiling
    from etl_framework.protocols import Emit
    from etl_framework.validating import Validation
    from etl_framework.values import Analysis, Job, RunReport

_KEYWORDS = (*(key for key in JobSettings.model_fields if key != "use"), "from_", "to", "again")

Files: TypeAlias = Path | str | Iterable[Path | str]
"""A path or pattern, or several of them."""


def load(
    *files: Files,
    job: str | None = None,
    config: Path | str | None = None,
    state_dir: Path | str | None = None,
    observers: tuple[Emit, ...] = (),
    **options: object,
) -> RunReport:
    """Load files, or a job of ``etl.toml``, as ``etl load`` does.

    >>> report = load("flights.csv", target="duckdb:flights.duckdb")  # doctest: +SKIP
    >>> report.rows_loaded, report.reconciled  # doctest: +SKIP
    (336776, True)

    :param files: paths or patterns, or lists of them; none loads ``job``, or the configuration's only job.
    :param job: name of a job in the configuration.
    :param config: path of ``etl.toml``; None for the one in the current folder, if there is one.
    :param state_dir: the folder for journal, locks and rejects; None for ``.etl`` beside the configuration.
    :param observers: called with every :class:`~etl_framework.values.Event`, from several threads.
    :param options: the settings of a job, by their names in ``etl.toml``: ``target``, ``table``, ``mode``, ``period``,
        ``columns``, ``on_bad_rows``, ``max_bad_rows``, ``compress``, ``jobs``, ``executor``, ``again``, …
    :returns: the outcome: rows and bytes as counts, durations in seconds, control totals, findings.
    :raises TypeError: there is no such setting.
    :raises UsageError: the settings are wrong or do not go together.
    :raises Refused: the gate refused; ``error.report.findings`` says why.
    :raises InputError: a source cannot be read, or changed during the run.
    :raises PluginError: a plugin is broken or missing.
    :raises ConnectError: the warehouse cannot be reached.
    :raises Interrupted: Ctrl-C; :func:`resume` goes on.
    :raises Locked: the same job is being loaded into the same target.
    :raises RunFailed: upload, load or reconciliation failed; the table is as it was.
    """
    workspace = Workspace.open(config, state_dir=state_dir)
    return workspace.load(_job("load", workspace, job, files, options), observers=observers)


def resume(
    run: str | None = None, *, config: Path | str | None = None, state_dir: Path | str | None = None
) -> RunReport | None:
    """Carry a run that was interrupted, killed or failed to its end, as ``etl resume`` does.

    :param run: the run's id; None for the only one that can be resumed.
    :param config: path of ``etl.toml``; None for the one in the current folder, if there is one.
    :param state_dir: the folder that the run's journal lies in.
    :returns: the outcome; None when there is nothing to resume.
    :raises EtlError: as :func:`load`; a source that changed since the run began is refused.
    """
    return Workspace.open(config, state_dir=state_dir).resume(run)


def validate(*files: Files, job: str | None = None, config: Path | str | None = None, **options: object) -> Validation:
    """Check files, or the sources of a job, as ``etl validate`` does; nothing is loaded.

    :returns: counts, control totals and findings.
    :raises EtlError: as :func:`load`; bad data is no error here but a finding.
    """
    workspace = Workspace.open(config)
    return workspace.validate(_job("validate", workspace, job, files, options))


def analyze(
    *files: Files, job: str | None = None, config: Path | str | None = None, exact: bool = False, **options: object
) -> tuple[Analysis, ...]:
    """Find out format, columns and number of rows of files, as ``etl analyze`` does.

    :param exact: count the records instead of estimating them.
    :returns: one analysis per file.
    :raises EtlError: a file cannot be read, or a plugin is broken.
    """
    workspace = Workspace.open(config)
    return workspace.analyze(_job("analyze", workspace, job, files, options), exact=exact)


def profile(*files: Files, job: str | None = None, config: Path | str | None = None, **options: object) -> Profiling:
    """Read files, or the sources of a job, and say what is in them, as ``etl analyze --profile`` does.

    :returns: figures and a quality score of each column, and of all together.
    :raises EtlError: as :func:`load`; bad data is no error here but lowers the score.
    """
    workspace = Workspace.open(config)
    return workspace.profile(_job("profile", workspace, job, files, options))


def _job(
    function: str, workspace: Workspace, name: str | None, files: Iterable[Files], options: dict[str, object]
) -> Job:
    """The job that keywords ask for; what is wrong with them is said as Python says it."""
    for key in options:
        if key not in _KEYWORDS:
            guess = similar(key, list(_KEYWORDS))
            meant = f". Did you mean {guess[0]!r}?" if guess else f"; there are {', '.join(_KEYWORDS)}"
            raise TypeError(f"{function}() got an unexpected keyword argument {key!r}{meant}")
    given = list(files)
    paths = [path for item in given for path in ((item,) if isinstance(item, str | Path) else item)]
    if given and not paths:
        raise UsageError(f"{function}() was given an empty list of files", advice="Give files, or leave the list out.")
    try:
        return workspace.job(name, paths, options)
    except UsageError as error:
        option, colon, said = error.message.partition(": ")
        if colon and option.startswith("--"):
            error.message = f"{option[2:].replace('-', '_')}: {said}"
        raise
