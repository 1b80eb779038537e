"""The command line: it parses, calls one function of the library, prints, and exits."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Sequence

import click

from etl_framework.cli.group import etl
from etl_framework.cli.session import Session
from etl_framework.cli.signals import exit_code, terminable
from etl_framework.cli.streams import lasting_streams
from etl_framework.errors import EtlError, ExitCode

STOPPED = (ExitCode.INTERRUPTED, 128 + signal.SIGINT, 128 + signal.SIGTERM)
"""Exit codes of a command that was stopped by Ctrl-C or SIGTERM."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code."""
    sys.exit(_run_to_the_end(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    :returns: its exit code.
    """
    return _run(arguments, Session.told_by(arguments))


def _run_to_the_end(arguments: Sequence[str]) -> int:
    """Run one command; whoever reads its output may leave, or the output's disk be full, without breaking it off."""
    session = Session.told_by(arguments)
    with lasting_streams() as output:
        code = _run(arguments, session)
        sys.stdout.flush()
        # A reader that has seen enough, as `| head` has, is no failure.
        if output is None or output.failure is None or isinstance(output.failure, BrokenPipeError):
            return code
        session.say(
            f"cannot write to stdout: {output.failure.strerror}",
            "Nothing but the output is lost: make room where it goes, and ask again.",
        )
        return code or ExitCode.FAILED


def _run(arguments: Sequence[str], session: Session) -> int:
    """Run one command: the only place where errors become messages."""
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
        return _misused(session, error)
    except EtlError as error:
        _debug(session, error)
        session.fail(error)
        return error.exit_code
    except KeyboardInterrupt as stop:
        return _stopped(session, stop)
    except Exception as error:
        _debug(session, error)
        return _broken(session, error, arguments)


def _misused(session: Session, error: click.ClickException) -> int:
    """Tell what is wrong with the words of the command line."""
    missing = isinstance(error, click.exceptions.NoArgsIsHelpError)
    if missing and session.log_format != "json":
        error.show()
        return ExitCode.USAGE
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "etl"
    message = f"{command} needs a command" if missing else error.format_message()
    advice = f"`{command} --help` shows what there is."
    if isinstance(error, click.NoSuchOption) and _is_global(error.option_name):
        message = f"{error.option_name} stands before the command"
        advice = f"Write `etl {error.option_name} {command.partition(' ')[2]} …`."
    session.complain(message, advice, ExitCode.USAGE)
    return ExitCode.USAGE


def _is_global(option: str) -> bool:
    return any(option in (*parameter.opts, *parameter.secondary_opts) for parameter in etl.params)


def _broken(session: Session, error: Exception, arguments: Sequence[str]) -> int:
    """Tell of an error that nobody raised on purpose, and how to see where it comes from."""
    again = shlex.join(["etl", "--debug", *(word for word in arguments if word != "--debug")])
    session.complain(
        f"internal error: {type(error).__name__}: {error}",
        f"This is a defect. `{again}` shows the traceback; please report it.",
        ExitCode.FAILED,
    )
    return ExitCode.FAILED


def _debug(session: Session, error: Exception) -> None:
    """Show where an error comes from, before it is told as ever."""
    if not session.debug:
        return
    import traceback

    if session.log_format == "json":
        session.log().error("traceback", exception="".join(traceback.format_exception(error)))
    else:
        traceback.print_exception(error)


def _stopped(session: Session, stop: KeyboardInterrupt) -> int:
    """Tell that a signal stopped the command, where there is no run to resume: before one, after it, or without."""
    advice = "Nothing is left half done. Run the command again; where it loads, see first what `etl runs list` shows."
    session.complain("stopped", advice, exit_code(stop))
    return exit_code(stop)


def _declined(session: Session) -> int:
    """Tell that whoever was asked did not say yes, which is no error; the exit code keeps scripts from going on."""
    if session.as_json or session.log_format == "json":
        session.complain("not confirmed", "Nothing was changed.", ExitCode.FAILED)
    else:
        click.echo("Nothing was changed.", err=True)
    return ExitCode.FAILED
