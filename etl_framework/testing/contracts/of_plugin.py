"""The contracts that a plugin's hooks call for, put together for ``etl plugins check``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl_framework.errors import EtlError, NoPluginError, UsageError
from etl_framework.plugins import Plugins
from etl_framework.protocols import Asking
from etl_framework.testing.checking import Makes, in_one_pass, literal_job, makes
from etl_framework.testing.contracts.codec import CodecContract
from etl_framework.testing.contracts.commands import CommandsContract
from etl_framework.testing.contracts.executor import ExecutorContract
from etl_framework.testing.contracts.format import FormatContract
from etl_framework.testing.contracts.observers import ObserverContract, ReporterContract
from etl_framework.testing.contracts.profiler import ProfilerContract
from etl_framework.testing.contracts.questions import QuestionsContract
from etl_framework.testing.contracts.settings import SettingsContract
from etl_framework.testing.contracts.table_check import TableCheckContract
from etl_framework.testing.contracts.trial_rows import GENERATED, first_source, rows_for, take_down
from etl_framework.testing.contracts.validator import ValidatorContract
from etl_framework.testing.contracts.warehouse import WarehouseContract
from etl_framework.testing.examining import Request, requested
from etl_framework.testing.literal import LiteralRows

if TYPE_CHECKING:
    from etl_framework.protocols import Validator

_CODECS = ("zstd", "gzip", "none", "lz4", "bz2", "xz", "snappy", "brotli")
_EXECUTORS = ("threads:2", "processes:2")

Made = Iterator[tuple[str, type]]


def contracts() -> dict[str, type]:
    """The classes of tests, by name; what cannot be tried is taken down in the request."""
    request = requested()
    hooks = request.plugin.info.hooks
    made: dict[str, type] = {}
    for hook, make in _BY_HOOK.items():
        if hook in hooks:
            request.busy_with = hook
            for name, contract in make(request):
                made[f"Test{name}"] = contract
    foreign = {test: None for hook, test in _FOREIGN.items() if hook not in hooks}
    if len(foreign) < len(_FOREIGN):
        made["TestQuestions"] = _of_plugin(request, QuestionsContract, **foreign)
    return made


def _of_plugin(request: Request, contract: type, **attributes: Any) -> type:
    members = {"plugin": lambda _: request.plugin.implementation, "plugins": lambda _: request.alone(), **attributes}
    return type(contract.__name__, (contract,), members)


def _warehouse(request: Request) -> Made:
    if request.target is None:
        request.pass_over("warehouse", "give --target URL of an empty scratch place in it")
        return
    try:
        request.alone().connect(request.target).close()
    except EtlError as error:
        request.pass_over("warehouse", f"{request.target}: {error.message}")
        return
    members = {"url": lambda *_: request.target, "settings": lambda _: request.settings}
    yield "Warehouse", type("WarehouseContract", (WarehouseContract,), members)


def _executors(request: Request) -> Made:
    plugins, asked = request.alone(), _asked(_EXECUTORS, request.job.executor if request.job else None)
    theirs = [url for url in asked if _answers(partial(_try_executor, plugins, url))]
    for url in theirs:
        members = {"executor": lambda _, url=url: plugins.executor(url)}
        yield f"Executor{_word(url)}", type(url, (ExecutorContract,), members)
    if not theirs:
        request.pass_over("executor", f"it answers none of {', '.join(asked)}; give --job JOB of one that uses it")


def _codecs(request: Request) -> Made:
    plugins, asked = request.alone(), _asked(_CODECS, request.job.compress if request.job else None)

    def codec(name: str) -> Any:
        return plugins.codec(literal_job(compress=name), "literal:")

    theirs = [name for name in asked if _answers(partial(codec, name))]
    for name in theirs:
        yield f"Codec{_word(name)}", type(name, (CodecContract,), {"codec": lambda _, name=name: codec(name)})
    if not theirs:
        request.pass_over("codec", f"it answers none of {', '.join(asked)}; give --job JOB of one that uses it")


def _format(request: Request) -> Made:
    if request.job is None:
        rows = LiteralRows.of(GENERATED)
        content, file, count = rows.header + b"".join(rows.records), "rows.csv", len(rows.records)
        members: dict[str, Any] = {"content": content, "file": file, "rows": count}
    elif (source := first_source(request, "format")) is None:
        return
    else:
        try:
            count = request.alone().analyze(source, request.job).format.count_rows(source, 1)
        except EtlError as error:
            request.pass_over("format", error.message)
            return
        path = Path(source.path)
        members = {"content": path.read_bytes(), "file": path.name, "rows": count, "sections": request.job.sections}
    contract = _of_plugin(request, FormatContract, **members)
    if request.job is None and not _answers(lambda: _analyzes(request, members)):
        request.pass_over("format", "it does not know CSV; give --job JOB of one that loads files of its format")
        return
    yield "Format", contract


def _analyzes(request: Request, members: Mapping[str, Any]) -> object:
    from tempfile import TemporaryDirectory

    from etl_framework.sources import identify

    with TemporaryDirectory() as folder:
        path = Path(folder, members["file"])
        path.write_bytes(members["content"])
        return request.alone().analyze(identify(path), literal_job(patterns=(str(path),)))


def _validators(request: Request) -> Made:
    if (rows := rows_for(request, "validator")) is None:
        return
    everything, trying = makes(request.alone(), rows, request.job), ""
    make = partial(_unasked, everything)
    try:
        if not (given := list(everything())):
            request.pass_over("validator", _no_checks(request))
            return
        checks = make()
        left_out = [check.name for check in given if _must_ask(check)]
        if left_out:
            request.pass_over("validator", f"{', '.join(left_out)}: asks the warehouse first, and there is none here")
        if not checks:
            return
        for at, check in enumerate(checks if request.job is None else ()):
            trying = check.name
            in_one_pass(partial(_one_of, make, at), rows)
    except UsageError as error:
        request.pass_over("validator", error.message)
        return
    except (Exception, SystemExit) as error:  # whatever a check raises of rows that it may not be made for
        if request.job is None:
            take_down(request, "validator", error, trying)
            return
    members = {"validator": lambda _: list(make()), "rows": rows.table, "types": rows.types, "finds_something": False}
    yield "Validator", type("ValidatorContract", (ValidatorContract,), members)


def _table_checks(request: Request) -> Made:
    if (rows := rows_for(request, "table check")) is None:
        return
    job, plugins = request.job or literal_job(columns=rows.columns), request.alone()

    def checks() -> list[Any]:
        return [check for _, check in plugins.table_checks(job, rows.columns)]

    try:
        names = {check.name for check in checks()}
    except UsageError as error:
        request.pass_over("table check", error.message)
        return
    except EtlError as error:
        if request.job is None:
            take_down(request, "table check", error)
            return
        names = {"nothing"}
    if not names:
        request.pass_over("table check", _no_checks(request))
        return

    def twins(_: object) -> list[Any] | None:
        if "etl_validate" not in request.plugin.info.hooks:
            return None
        return [check for check in _unasked(makes(plugins, rows, request.job)) if check.name in names] or None

    members = {"check": lambda _: checks(), "twin": twins, "finds_something": False}
    shared = {"rows": rows.table, "types": rows.types}
    yield "TableCheck", type("TableCheckContract", (TableCheckContract,), {**members, **shared})


def _must_ask(check: Validator) -> bool:
    return isinstance(check, Asking) and check.insists


def _unasked(make: Makes) -> list[Validator]:
    """New accumulators of the checks that can do without what the warehouse says."""
    checks = [check for check in make() if not _must_ask(check)]
    for check in checks:
        if isinstance(check, Asking):
            check.tell(None)
    return checks


def _one_of(make: Makes, at: int) -> list[Validator]:
    return list(make())[at : at + 1]


def _profiler(request: Request) -> Made:
    if (rows := rows_for(request, "profiler")) is not None:
        keys = request.job.keys if request.job else ()
        yield "Profiler", _of_plugin(request, ProfilerContract, rows=rows.table, types=rows.types, keys=keys)


def _reporter(request: Request) -> Made:
    # Nobody is to be woken by a run that never was.
    yield "Reporter", _of_plugin(request, ReporterContract, only_replayed=True)


def _observer(request: Request) -> Made:
    yield "Observer", _of_plugin(request, ObserverContract)


def _commands(request: Request) -> Made:
    yield "Commands", _of_plugin(request, CommandsContract)


def _settings(request: Request) -> Made:
    yield "Settings", _of_plugin(request, SettingsContract)


_BY_HOOK: Mapping[str, Callable[[Request], Made]] = {
    "etl_configure": _settings,
    "etl_connect": _warehouse,
    "etl_executor": _executors,
    "etl_analyze": _format,
    "etl_validate": _validators,
    "etl_profile": _profiler,
    "etl_compress": _codecs,
    "etl_check": _table_checks,
    "etl_report": _reporter,
    "etl_commands": _commands,
    "etl_event": _observer,
}


def _try_executor(plugins: Plugins, url: str) -> None:
    plugins.executor(url).close()


def _word(name: str) -> str:
    """The scheme of a URL, or a plain name, as a part of a class's name."""
    return re.sub(r"\W", "", name.partition(":")[0]).capitalize()


_FOREIGN = {
    "etl_connect": "test_a_foreign_target_is_left_to_others",
    "etl_executor": "test_a_foreign_executor_is_left_to_others",
    "etl_compress": "test_a_foreign_codec_is_left_to_others",
    "etl_upload": "test_a_part_for_a_foreign_warehouse_is_left_to_others",
    "etl_load": "test_a_load_into_a_foreign_warehouse_is_left_to_others",
}
"""By hook, the test that others are left their own; those of hooks that a plugin has not are left out."""


def tried_hooks() -> set[str]:
    """The hooks that some contract is about."""
    return {*_BY_HOOK, *_FOREIGN}


def _asked(usual: tuple[str, ...], of_job: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*usual, of_job))) if of_job else usual


def _answers(ask: Callable[[], object]) -> bool:
    """Whether a question is the plugin's to answer; one that it cannot answer well is."""
    try:
        ask()
    except NoPluginError:
        return False
    except EtlError:
        return True
    return True


def _no_checks(request: Request) -> str:
    if request.job is None:
        return "it gives no checks without a job's settings; give --job JOB"
    return f"it gives no checks for job {request.job.name!r}"
