"""The command line: it parses, calls one function of the library, prints, and exits."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from etl_framework.cli.group import etl
from etl_framework.cli.session import Session
from etl_framework.cli.signals import exit_code, terminable
from etl_framework.errors import EtlError, ExitCode


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code: the only place where errors become messages."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    :returns: its exit code.
    """
    # Known before the options are parsed, so that a mistake among them is told as JSON, too.
    session = Session(as_json="--json" in arguments)
    stdout = sys.stdout
    try:
        with terminable():
            answer = etl.main(
                args=list(arguments), prog_name="etl", standalone_mode=False, obj=session, color=session.colour
            )
        return answer if isinstance(answer, int) else ExitCode.DONE
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.Abort as abort:
        # click says so of Ctrl-C as well as of a "no".
        if isinstance(stop := abort.__cause__ or abort.__context__, KeyboardInterrupt):
            return _stopped(session, stop)
        return _declined(session)
    except click.ClickException as error:
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            error.show()
            return ExitCode.USAGE
        command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "etl"
        session.complain(error.format_message(), f"`{command} --help` shows what there is.", ExitCode.USAGE)
        return ExitCode.USAGE
    except EtlError as error:
        _debug(session, error)
        session.fail(error)
        return error.exit_code
    except KeyboardInterrupt as stop:
        return _stopped(session, stop)
    except SystemExit as exit_:
        # When whoever reads our output has seen enough, as `| head` does, rich leaves like this, and click does so
        # too after it has put another stream in place of the broken one.
        if isinstance(exit_.__context__, BrokenPipeError) or sys.stdout is not stdout:
            return ExitCode.DONE
        raise
    except Exception as error:
        _debug(session, error)
        session.complain(
            f"internal error: {type(error).__name__}: {error}",
            "This is a defect. Run again with `etl --debug …` for the traceback, and please report it.",
            ExitCode.FAILED,
        )
        return ExitCode.FAILED


def _debug(session: Session, error: Exception) -> None:
    """Show where an error comes from, before it is told as ever."""
    if session.debug:
        import traceback

        traceback.print_exception(error)


def _stopped(session: Session, stop: KeyboardInterrupt) -> int:
    """Tell that a signal stopped the command, where there is no run to resume."""
    session.complain("stopped", "Nothing is left half done; run the command again to begin anew.", exit_code(stop))
    return exit_code(stop)


def _declined(session: Session) -> int:
    """Tell that whoever was asked did not say yes, which is no error; the exit code keeps scripts from going on."""
    if session.as_json or session.log_format == "json":
        session.complain("not confirmed", "Nothing was changed.", ExitCode.FAILED)
    else:
        click.echo("Nothing was changed.", err=True)
    return ExitCode.FAILED
