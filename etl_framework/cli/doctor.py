"""``etl doctor``: is everything in place?"""

from __future__ import annotations

import click

from etl_framework.cli.group import with_log
from etl_framework.cli.session import Session, json_option
from etl_framework.program import addressed
from etl_framework.terminal import printable


@click.command()
@json_option
@click.pass_obj
@with_log
def doctor(session: Session) -> int:
    """Check machine, configuration, plugins, state folder and every target."""
    from etl_framework.diagnosis import diagnose

    diagnosis = diagnose(session.workspace())

    def show() -> None:
        for check in diagnosis.checks:
            mark = click.style("ok  ", fg="green") if check.ok else click.style("FAIL", fg="red")
            click.echo(f"{mark}  {check.subject:<24}  {printable(check.detail)}")
            for line in addressed(check.advice, session.program).splitlines():
                click.echo(f"      {printable(line)}")

    session.answer("doctor", diagnosis, show)
    return diagnosis.exit_code
