"""``etl analyze`` and ``etl validate``: single steps on files."""

from __future__ import annotations

import click

from etl_framework.cli.group import with_log
from etl_framework.cli.load import _what, interruptible, job_options
from etl_framework.cli.session import Session, facts, findings, json_option, table
from etl_framework.errors import ExitCode
from etl_framework.terminal import bytes_in_words, seconds_in_words


@click.command()
@job_options
@click.option("--exact", is_flag=True, help="Count the rows instead of estimating them.  [default: estimate]")
@json_option
@click.pass_obj
@with_log
def analyze(session: Session, job_or_files: tuple[str, ...], exact: bool, **options: object) -> int:
    """Find out format, columns, types and number of rows of files."""
    workspace = session.workspace()
    with interruptible():
        analyses = workspace.analyze(workspace.job(*_what(workspace, job_or_files), options), exact=exact)

    def show() -> None:
        for analysis in analyses:
            click.secho(analysis.source.path, bold=True)
            facts((fact.label, fact.value) for fact in analysis.facts)
            if analysis.rows_exact:
                facts([("exact rows", f"{analysis.rows:,}")])
            table(
                "",
                ["column", "type", "format"],
                [(c.name, f"{c.type}{' not null' * c.required}", c.format or "") for c in analysis.columns],
            )
            findings(analysis.findings)

    session.answer("analysis", analyses, show)
    failed = any(finding.severity == "error" for analysis in analyses for finding in analysis.findings)
    return ExitCode.REFUSED if failed else ExitCode.DONE


@click.command()
@job_options
@json_option
@click.pass_obj
@with_log
def validate(session: Session, job_or_files: tuple[str, ...], **options: object) -> int:
    """Check every row of files, and load nothing."""
    workspace = session.workspace()
    with interruptible():
        job = workspace.job(*_what(workspace, job_or_files), options)
        validation = workspace.validate(job, observers=session.observers())

    def show() -> None:
        findings(validation.findings)
        verdict = click.style("valid", fg="green") if validation.passed else click.style("not valid", fg="red")
        speed = validation.bytes / max(validation.seconds, 1e-9)
        click.echo(
            f"{verdict}: {validation.rows:,} good rows, {validation.bad_rows:,} bad rows in {len(validation.sources)} "
            f"files, {bytes_in_words(validation.bytes)} in {seconds_in_words(validation.seconds)} "
            f"({bytes_in_words(speed)}/s)"
        )

    session.answer("validation", validation, show)
    return ExitCode.DONE if validation.passed else ExitCode.REFUSED
