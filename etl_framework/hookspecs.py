"""The hooks, in the order in which a run calls them. This module is the architecture.

A plugin is a module or object with functions of these names, marked :data:`hookimpl`, found through an entry point in
the group ``etl_framework`` or named in ``etl.toml``. It declares only the arguments it needs.

Where one answer is wanted, whoever implements the hook is asked, and one may answer. Two answers are an error that
names both, until the configuration or the command says who is to answer (``use``), or leaves one out: order never
decides. What changes a warehouse is asked of one plugin alone: the one that is named, else the one that connected.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from etl_framework.columns import Column
    from etl_framework.protocols import Codec, Executor, Profiler, Run, TableCheck, Validator, Warehouse
    from etl_framework.values import Analysis, Event, Job, PackedPart, Receipt, RunReport, Source, StagedPart

PROJECT = "etl_framework"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def etl_configure(job: Job) -> Iterable[str]:
    """Name the sections that the plugin reads, and check what a job says in them.

    Called before a job is loaded, planned, validated or checked, and to check a configuration; reads no source and
    connects to nothing. Everyone is asked. A section whose name is one of these, or a plugin's, but for one letter, is
    refused: nobody would read it.

    :param job: what is to be loaded, checked or planned; it need not have any of the sections.
    :returns: the names, always the same; a section that is called as the plugin itself is known without.
    :raises UsageError: what is said cannot be understood, whatever the sources hold; ``key`` names the setting, such as
        ``snowflake.publish``, and the message begins with it.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
def etl_connect(url: str) -> Warehouse | None:
    """Connect to a warehouse.

    Called once per run and for every command that looks into a warehouse. One may answer; it is then asked for
    ``etl_upload`` and ``etl_load``, too. A check of the configuration asks with the scheme alone, such as ``duckdb:``,
    and with scheme and options, such as ``duckdb:?threads=4``: without an address, nothing is connected to, and a wrong
    option is told before the missing address.

    :param url: the target's URL; its scheme tells whose it is.
    :returns: the connection, or None when the scheme is not this plugin's.
    :raises UsageError: the address is missing or wrong.
    :raises ConnectError: the warehouse cannot be reached or refuses the credentials.
    :raises Locked: another process holds the warehouse.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
def etl_executor(url: str) -> Executor | None:
    """Make what runs the parts.

    Called once per run, and to check a configuration. One may answer.

    :param url: ``threads:``, ``threads:4``, ``processes:``, or whatever else a plugin understands.
    :returns: the executor, or None when the scheme is not this plugin's.
    :raises UsageError: the URL is wrong.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
def etl_analyze(source: Source, job: Job) -> Analysis | None:
    """Find out how a source is to be split and read.

    Called once per source, before anything else looks at it, and with an empty file to check a configuration. One may
    answer.

    :param source: the file.
    :param job: the declared columns and, in its section ``format``, what is known of the format.
    :returns: the analysis, or None when this plugin does not know the format.
    :raises InputError: the source cannot be read.
    :raises UsageError: what is declared cannot be understood or contradicts itself, whatever the source holds; ``key``
        names the setting, such as ``format.header``.

    .. versionadded:: 0.1
    """


@hookspec
def etl_validate(job: Job, analysis: Analysis) -> Iterable[Validator]:
    """Give the checks that every row passes through.

    Called once per part, in the worker that reads it, and once to merge: each call gives new accumulators, in the same
    order. Those of the last call take in all others, which may have been pickled, and finish. Everyone is asked; all
    validators see every block.

    :param job: what is loaded; checks read their settings from its sections.
    :param analysis: of the part's source, with the final columns of the run.
    :returns: new validators; none is fine.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
def etl_profile(job: Job, analysis: Analysis) -> Profiler | None:
    """Make what profiles the data.

    Called once per part by ``etl analyze --profile``, in the worker that reads it: each call gives a new accumulator.
    One may answer.

    :param job: what is looked at; ``keys`` are the columns that are declared to identify a row.
    :param analysis: of the part's source, with the final columns.
    :returns: a new accumulator, or None when this plugin has nothing to tell of such data.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
def etl_compress(job: Job, target: str) -> Codec | None:
    """Give the codec that the job names.

    Called once per run, and to check a configuration. One may answer; each answers only for its own names.

    :param job: ``compress`` holds the name (always set by then), ``compress_level`` the level or None.
    :param target: URL of the warehouse.
    :returns: the codec, or None when the name is not this plugin's.
    :raises UsageError: the level is out of range; ``key`` is ``compress_level``.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
def etl_upload(part: PackedPart, warehouse: Warehouse, run: Run) -> StagedPart | None:
    """Bring a packed part into the warehouse's staging area and verify that it arrived whole.

    Called once per packed part, from several threads at once; again for the same part after a crash, so a name that
    is there already must end as if it had just been brought. Only the plugin that connected is asked, unless the job
    names another.

    :param part: the local file, which may be moved away.
    :param warehouse: the run's warehouse.
    :param run: the run.
    :returns: what lies in the staging area, or None when the warehouse is not this plugin's.
    :raises RunFailed: the part did not arrive, and trying again did not help.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
def etl_load(parts: tuple[StagedPart, ...], warehouse: Warehouse, run: Run) -> Receipt | None:
    """Load the staged parts into the table: all or nothing, once.

    Called once per run after the gate; again after a crash when the ledger does not know the run. The load, its ledger
    row and the comparison with the run's control totals (:func:`~etl_framework.totals.reconcile`) are one
    transaction. Whether the table holds the sources already is decided in it, too, on the ledger
    (:func:`~etl_framework.ledger.refuse_repeat`): the core's own look at the ledger came before, and runs of other
    state folders know nothing of this one. Only the plugin that connected is asked, unless the job names another.

    :param parts: every staged part of the run, in the order of the data.
    :param warehouse: the run's warehouse.
    :param run: the run, with its control totals.
    :returns: what was loaded, or None when the warehouse is not this plugin's.
    :raises Refused: the table holds the sources already; the table is as it was.
    :raises RunFailed: the load failed; the table is as it was.
    :raises ReconciliationError: what would be in the table is not what was in the sources; the table is as it was.

    .. versionadded:: 0.1
    """


@hookspec
def etl_check(job: Job, columns: tuple[Column, ...]) -> Iterable[TableCheck]:
    """Give the checks that ask a warehouse about rows in it.

    Called twice per load that is checked in the warehouse (``check = "warehouse"`` or ``"both"``): before anything is
    read, which tells whether the settings are right, and before its rows are published; and once by ``etl check``.
    Everyone is asked.

    :param job: what is loaded; checks read their settings from its sections.
    :param columns: of the rows, as the warehouse spells them; before anything is read, as the job or the source does.
    :returns: checks by SQL; none is fine.
    :raises UsageError: the settings are wrong; ``key`` names the one at fault.

    .. versionadded:: 0.1
    """


@hookspec
def etl_report(report: RunReport) -> None:
    """Tell people or systems how a run ended.

    Called once per run when it has ended, well or not, and again with ``replayed`` set when somebody looks at an old
    run. Everyone is asked; one that raises is named in the output and never fails the run.

    :param report: the outcome.

    .. versionadded:: 0.1
    """


@hookspec
def etl_commands() -> Iterable[click.Command]:
    """Add commands to the command line.

    Called once per call of ``etl``; must import nothing heavy. Everyone is asked; two commands of one name are an
    error that names both plugins.

    :returns: click commands or groups.

    .. versionadded:: 0.1
    """


@hookspec
def etl_event(event: Event) -> None:
    """Observe the progress of a run.

    Called often, from several threads, one call at a time; must be cheap. Everyone is asked; one that raises is
    reported once and not called again in this run.

    :param event: what happened.

    .. versionadded:: 0.1
    """
