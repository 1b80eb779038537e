"""``etl demo``: a first run on generated data."""

from __future__ import annotations

from pathlib import Path

import click

from etl_framework.cli.group import with_log
from etl_framework.cli.session import Session, facts, json_option
from etl_framework.errors import Interrupted
from etl_framework.terminal import printable


@click.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("etl-demo"),
    show_default=True,
    help="Where the data and its warehouse go.",
)
@json_option
@click.pass_obj
@with_log
def demo(session: Session, folder: Path) -> None:
    """Generate a month of sales, load it, and show the report."""
    from etl_framework.demo import write_demo
    from etl_framework.workspace import Workspace

    path = write_demo(folder)
    workspace = Workspace.open(path, disabled=session.disabled, use=session.use, state_dir=session.state_dir)
    job = workspace.job("sales", (), {})
    try:
        report = workspace.load(job, observers=session.observers(), console=session.console)
    except Interrupted as error:
        error.advice = f"`{workspace.state.program} resume` goes on; `etl demo` begins anew."
        raise

    def show() -> None:
        if session.quiet:
            return
        click.echo(f"\nThe data, its etl.toml and the warehouse are in {printable(str(folder))}. Look around:\n")
        project = workspace.state.program
        commands = [
            (f"{project} plan sales", "what a load would do"),
            (f"{project} runs show", "this report again"),
            ("etl load YOUR_FILE.csv", "your own data"),
        ]
        facts([(f"  {printable(command)}", what) for command, what in commands])

    session.answer("run_report", report, show)
