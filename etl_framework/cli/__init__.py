"""The command line: it parses, calls one function of the library, prints, and exits."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from etl_framework.cli.group import etl
from etl_framework.cli.session import Session
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
        answer = etl.main(
            args=list(arguments), prog_name="etl", standalone_mode=False, obj=session, color=session.colour
        )
        return answer if isinstance(answer, int) else ExitCode.DONE
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.Abort as abort:
        if isinstance(abort.__cause__ or abort.__context__, KeyboardInterrupt):
            return _interrupted(session)
        session.complain("aborted", "Nothing was changed.", ExitCode.FAILED)
        return ExitCode.FAILED
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
    except KeyboardInterrupt:
        return _interrupted(session)
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


def _interrupted(session: Session) -> int:
    session.complain(
        "interrupted", "`etl runs list` shows what is unfinished; `etl resume` goes on.", ExitCode.INTERRUPTED
    )
    return ExitCode.INTERRUPTED
