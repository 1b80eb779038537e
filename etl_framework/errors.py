"""Every error that this project raises on purpose, sorted by what the caller does next.

::

    EtlError                      the root; nothing else is caught by the command line
    ├── UsageError                fix the command or the configuration              exit 2
    │   ├── ConfigError           … in a file: names file, key and line
    │   └── NoSuchColumn          … names a column that the rows do not have
    ├── InputError                fix the input: a source that cannot be read       exit 3
    │   ├── SourceChanged         the source is not what the run began with
    │   └── SourceDamaged         … is damaged or cut short: a whole one makes a new run
    ├── Refused                   the gate said no: read the findings               exit 3
    ├── PluginError               fix or disable a plugin                           exit 4
    │   ├── PluginLoadError       does not import, misspells a hook
    │   ├── HookFailed            raised inside a hook, or answered nonsense
    │   └── NoPluginError         nobody answers what was asked
    ├── ConnectError              fix the address or the credentials                exit 5
    ├── Interrupted               a run was stopped: go on with ``etl resume``      exit 6
    ├── Locked                    wait for the other run                            exit 7
    └── RunFailed                 load, upload or reconciliation failed             exit 1
        ├── QueryFailed           … a query: its reason, without the SQL
        └── ReconciliationError   what is in the table is not what was in the file
            └── CommittedWrongly  … and was committed all the same: look into the table

A message says what failed, where, and what to do next; ``advice`` holds the last part.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_framework.values import Finding, RunReport


class ExitCode(IntEnum):
    """What the command line returns to the shell.

    A command that a signal stopped while there was nothing to resume returns what shells give for the signal: 130 for
    Ctrl-C, 143 for SIGTERM.
    """

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    PLUGIN = 4
    CONNECT = 5
    INTERRUPTED = 6
    LOCKED = 7


class EtlError(Exception):
    """Root of the project's errors.

    :param message: what failed, and where.
    :param advice: what to do next, as an imperative sentence.
    :param key: which setting of the job is at fault, when it is one, so that ``etl config validate`` finds its line:
        ``compress_level``, or ``format.header`` for a key of a table, which the message then names.
    :ivar report: the report of the run that it ended, if it ended one.
    """

    exit_code = ExitCode.FAILED
    report: RunReport | None = None

    def __init__(self, message: str, *, advice: str = "", key: str = "") -> None:
        super().__init__(message, advice)
        self.message = message
        self.advice = advice
        self.key = key

    def __str__(self) -> str:
        return f"{self.message}\n{self.advice}" if self.advice else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders: keyword-only arguments do not survive the default pickling.
        return _rebuild, (type(self), self.message, self.advice, self.__dict__)


def _rebuild(kind: type[EtlError], message: str, advice: str, state: dict[str, object]) -> EtlError:
    error = kind.__new__(kind)
    Exception.__init__(error, message, advice)
    error.__dict__.update(state)
    return error


class UsageError(EtlError):
    """The command, its options or the configuration ask for something impossible."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """A configuration file says something that cannot be understood."""


class NoSuchColumn(UsageError):
    """A setting names a column that the rows do not have; the message ends in ``there is no column 'x'``.

    Of a job that declares only some columns, or none, its files may have it.
    """


class InputError(EtlError):
    """A source cannot be read or is not what it is said to be."""

    exit_code = ExitCode.REFUSED


class SourceChanged(InputError):
    """A source changed after the run began."""


class SourceDamaged(InputError):
    """A source is damaged or cut short. There is no resuming: the file fetched again is another one."""


class Refused(EtlError):
    """The gate refused the load; the findings say why.

    :param findings: what is wrong, where that was found before any data was read; also all that is no error.
    """

    exit_code = ExitCode.REFUSED

    def __init__(self, message: str, *, advice: str = "", key: str = "", findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(message, advice=advice, key=key)
        self.findings = findings


class PluginError(EtlError):
    """A plugin is broken, missing or ambiguous."""

    exit_code = ExitCode.PLUGIN


class PluginLoadError(PluginError):
    """A plugin does not import, or implements a hook that does not exist."""


class HookFailed(PluginError):
    """A plugin raised inside a hook, or answered something of the wrong type."""


class NoPluginError(PluginError):
    """No plugin answers what was asked."""


class ConnectError(EtlError):
    """A warehouse cannot be reached or refuses the credentials."""

    exit_code = ExitCode.CONNECT


class Interrupted(EtlError):
    """The run was stopped between two whole parts; it can be resumed."""

    exit_code = ExitCode.INTERRUPTED


class Locked(EtlError):
    """Another run holds the job and target."""

    exit_code = ExitCode.LOCKED


class RunFailed(EtlError):
    """Upload or load failed; the target is as it was."""


class QueryFailed(RunFailed):
    """A warehouse cannot run a query.

    :param reason: what the warehouse says, without the SQL: whoever wrapped a user's query shows that one beside it.
    """

    def __init__(self, message: str, *, advice: str = "", key: str = "", reason: str = "") -> None:
        super().__init__(message, advice=advice, key=key)
        self.reason = reason or message


class UnreadableRun(RunFailed):
    """The journal's notes of a run were written by another version of etl or of its plugins."""


class ReconciliationError(RunFailed):
    """The control totals of the table differ from those of the file; nothing was committed."""


class CommittedWrongly(ReconciliationError):
    """A warehouse's plugin committed a load although the control totals differ."""
