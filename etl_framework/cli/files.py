"""``etl analyze`` and ``etl validate``: single steps on files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from etl_framework.cli.check import write_report
from etl_framework.cli.group import with_log
from etl_framework.cli.load import _what, job_options
from etl_framework.cli.options import junit_option
from etl_framework.cli.session import Session, facts, findings, json_option, table
from etl_framework.errors import ExitCode
from etl_framework.likeness import alike, differences, in_many_files
from etl_framework.terminal import bytes_in_words, counted, printable, seconds_in_words

if TYPE_CHECKING:
    from pathlib import Path

    from etl_framework.values import Analysis, Job
    from etl_framework.workspace import Workspace

_MOST_GROUPS, _MOST_NAMES, _MOST_FACTS = 20, 3, 20


@click.command()
@job_options
@click.option("--exact", is_flag=True, help="Count the rows instead of estimating them.  [default: estimate]")
@click.option("--profile", is_flag=True, help="Read everything and profile each column.  [default: a sample]")
@json_option
@click.pass_obj
@with_log
def analyze(session: Session, job_or_files: tuple[str, ...], exact: bool, profile: bool, **options: object) -> int:
    """Find out format, columns, types and number of rows of files.

    With --profile, read every row and tell of each column the nulls, different values, extremes, mean, quantiles,
    frequent values, lengths and shapes of texts, and a quality score with what it is made of.
    """
    workspace = session.workspace()
    job = workspace.job(*_what(workspace, job_or_files), options)
    if profile:
        return _profile(session, workspace, job)
    analyses = workspace.analyze(job, exact=exact)

    def show() -> None:
        usual, *others = alike(analyses)
        _show_group(usual)
        for group in others[:_MOST_GROUPS]:
            _show_group(group, usual[0])
        if rest := others[_MOST_GROUPS:]:
            click.echo(
                f"and {counted(sum(map(len, rest)), 'file')} of {counted(len(rest), 'more kind')}: --json tells all"
            )

    session.answer("analysis", analyses, show)
    failed = any(finding.severity == "error" for analysis in analyses for finding in analysis.findings)
    return ExitCode.REFUSED if failed else ExitCode.DONE


def _profile(session: Session, workspace: Workspace, job: Job) -> int:
    from etl_framework.cli.profile import show_profiling

    profiling = workspace.profile(job, observers=session.observers())
    session.answer("profile", profiling, lambda: show_profiling(profiling))
    return ExitCode.DONE if profiling.profile else ExitCode.REFUSED


def _show_group(group: tuple[Analysis, ...], usual: Analysis | None = None) -> None:
    """Print what is known of files that are alike; only what differs from the usual ones, where those are given."""
    first, *others = group
    names = ", ".join(printable(analysis.source.name) for analysis in others[:_MOST_NAMES])
    more = f" and {len(others) - _MOST_NAMES:,} more" if len(others) > _MOST_NAMES else ""
    alike_ = f" and {len(others):,} alike: {names}{more}" if others else ""
    click.secho(f"{printable(first.source.path)}{alike_}", bold=True)
    told = list(first.facts) if usual is None else list(differences(usual, first))
    shown = [(fact.label, fact.value) for fact in told[:_MOST_FACTS]]
    if len(told) > _MOST_FACTS:
        shown.append(("…", f"and {counted(len(told) - _MOST_FACTS, 'more difference')}"))
    rows = sum(analysis.rows for analysis in group)
    exact = all(analysis.rows_exact for analysis in group)
    facts(
        [
            *shown,
            ("size", f"{sum(analysis.source.size for analysis in group):,} bytes{' in all' * bool(others)}"),
            ("rows", f"{'exactly' if exact else 'about'} {rows:,}"),
        ]
    )
    if usual is None:
        click.echo()
        table(
            "",
            ["column", "type", "format"],
            [(c.name, f"{c.type}{' not null' * c.required}", c.format or "") for c in first.columns],
        )
        click.echo()
    findings(in_many_files(analysis.findings for analysis in group))


@click.command()
@job_options
@junit_option
@json_option
@click.pass_obj
@with_log
def validate(session: Session, job_or_files: tuple[str, ...], junit: Path | None, **options: object) -> int:
    """Check every row of files, and load nothing."""
    from etl_framework.junit import STRUCTURE

    workspace = session.workspace()
    job = workspace.job(*_what(workspace, job_or_files), options)
    validation = workspace.validate(job, observers=session.observers())
    checks = (STRUCTURE, *validation.checks)
    write_report(junit, f"job {job.name}", checks, validation.findings, validation.seconds)

    def show() -> None:
        findings(validation.findings)
        verdict = click.style("valid", fg="green") if validation.passed else click.style("not valid", fg="red")
        speed = validation.bytes / max(validation.seconds, 1e-9)
        click.echo(
            f"{verdict}: {counted(validation.rows, 'good row')}, {counted(validation.bad_rows, 'bad row')} "
            f"in {counted(len(validation.sources), 'file')}, {bytes_in_words(validation.bytes)} "
            f"in {seconds_in_words(validation.seconds)} ({bytes_in_words(speed)}/s)"
        )

    session.answer("validation", validation, show)
    if job.mode == "merge" and validation.passed and "duplicates" not in validation.checks:
        session.hint(
            f"whether two rows share the key {', '.join(job.keys)} was not looked at, and a merge refuses such rows: "
            f"`etl duplicates {job.name if job.configured else 'FILE'}` tells them, and the check `duplicates` too"
        )
    return ExitCode.DONE if validation.passed else ExitCode.REFUSED
