"""From configuration, environment and options to one job with everything filled in.

Strongest first: option, ``ETL_*`` variable, ``[jobs.NAME]``, ``[defaults]``, the user's own file, built-in default.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from etl_framework.columns import Column, Kind, TableName
from etl_framework.config_files import Config, Origin, load_config
from etl_framework.config_layers import Layers, unknown_job
from etl_framework.config_models import similar
from etl_framework.config_secrets import holds_secret
from etl_framework.config_starter import STARTER
from etl_framework.errors import UsageError
from etl_framework.source_patterns import anchored, check_pattern
from etl_framework.sources import table_stem
from etl_framework.terminal import did_you_mean
from etl_framework.values import Job, Mode, OnBadRows

__all__ = [
    "STARTER",
    "Config",
    "Setting",
    "explain",
    "explain_defaults",
    "job_of_table",
    "load_config",
    "name_or_files",
    "resolve_job",
    "stand_ins",
    "who_answers",
]

_COUNTED_EXECUTORS = ("threads", "processes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One effective setting of a job.

    :param key: as in ``etl.toml``; sections of plugins by their name.
    :param value: plain: text, number, boolean, list, dict or None.
    :param origin: where it comes from: ``--mode``, ``ETL_MODE``, ``etl.toml:12``, ``default``.
    """

    key: str
    value: object
    origin: str


def resolve_job(config: Config, name: str | None = None, overrides: Mapping[str, object] | None = None) -> Job:
    """The job to run, with everything filled in.

    :param config: what the files say.
    :param name: a job of the configuration; None for its only job, or for bare files.
    :param overrides: what the command line gave, named like the settings; None means not given. Beside them ``files``
        (a sequence of paths instead of the job's source), ``from_`` and ``to`` (the ends of the period), and ``again``.
    :raises UsageError: no such job, several to choose from, or settings that do not go together.
    :raises ConfigError: a file says what cannot be.
    """
    asked = _Request.of(config, name, overrides)
    name, chosen = asked.name, asked.layers
    table = _table(config, asked)
    columns = tuple(settings.column(column) for column, settings in chosen.value("columns").items())
    job = Job(
        name=name or str(table),
        patterns=_patterns(config, asked),
        table=table,
        target=_target(config, chosen, bare=name is None),
        columns=columns,
        mode=chosen.value("mode"),
        period=chosen.value("period"),
        date_column=chosen.value("date_column"),
        keys=chosen.value("keys"),
        check=chosen.value("check"),
        check_timeout=chosen.value("check_timeout"),
        gate=chosen.value("gate"),
        on_bad_rows=chosen.value("on_bad_rows"),
        max_bad_rows=chosen.value("max_bad_rows"),
        compress=chosen.value("compress"),
        compress_level=chosen.value("compress_level"),
        part_bytes=chosen.value("part_size"),
        block_bytes=chosen.value("block_size"),
        executor=_executor(chosen),
        recursive=chosen.value("recursive"),
        again=asked.again,
        required_plugins=tuple(dict.fromkeys((*config.required_plugins, *chosen.value("required_plugins")))),
        use=chosen.use(),
        sections=chosen.sections(),
        configured=name is not None,
        folder=config.folder,
    )
    _check_together(job, chosen)
    return job


def explain(
    config: Config, name: str | None = None, overrides: Mapping[str, object] | None = None
) -> tuple[Setting, ...]:
    """Every effective setting of a job and where it comes from; the arguments are those of :func:`resolve_job`.

    :raises UsageError: as :func:`resolve_job`.
    """
    job = resolve_job(config, name, overrides)
    asked = _Request.of(config, name, overrides)
    chosen = asked.layers
    values: dict[str, object] = {
        "source": job.patterns,
        "table": job.table,
        "target": job.target,
        "columns": {column.name: _said(column) for column in job.columns},
        **{key: getattr(job, key) for key in ("date_column", "keys", "mode", "period", "check", "check_timeout")},
        **{key: getattr(job, key) for key in ("gate", "on_bad_rows")},
        **{key: getattr(job, key) for key in ("max_bad_rows", "compress", "compress_level", "executor", "recursive")},
        "part_size": job.part_bytes,
        "block_size": job.block_bytes,
        "required_plugins": job.required_plugins,
        "use": job.use,
        **job.sections,
    }
    origins = {key: chosen.origin(key).label for key in values}
    if asked.files:
        origins["source"] = "command line"
    if chosen.rank("jobs") <= chosen.rank("executor"):
        origins["executor"] = chosen.origin("jobs").label
    return tuple(Setting(key=key, value=_plain(value), origin=origins[key]) for key, value in values.items())


def explain_defaults(config: Config) -> tuple[Setting, ...]:
    """What holds for a file that no job names, but for what the file itself decides: source and table.

    :raises UsageError: the defaults do not go together.
    """
    later = {} if Layers.collect(config, None, {}).value("period") else {"period": "2000-01"}
    return tuple(
        replace(setting, value=None, origin="default") if setting.key in later else setting
        for setting in explain(config, None, {"files": ("FILE",), **later})
        if setting.key not in ("source", "table")
    )


def stand_ins(config: Config, name: str) -> dict[str, object]:
    """What a job needs to be resolved although it is only given when it runs: some period.

    :returns: overrides for :func:`resolve_job` and :func:`explain`.
    """
    layer = config.jobs.get(name)
    return {} if layer is None or layer.settings.period else {"period": "2000-01"}


def job_of_table(
    config: Config, table: str, name: str | None = None, overrides: Mapping[str, object] | None = None
) -> Job:
    """The job whose checks are made of a table that is there: of the one that loads into it, or what defaults say.

    Its sources do not count, and it has no period unless one is given.

    :param table: as on the command line.
    :param name: which job, where several load into the table.
    :param overrides: as of :func:`resolve_job`.
    :raises UsageError: there is no such job, or several load into the table.
    """
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    wanted = TableName.parse(table)
    if name is None and len(names := _loading_into(config, wanted, given)) > 1:
        raise UsageError(
            f"several jobs load into {wanted}: {', '.join(names)}", advice="Say whose checks are meant: --job JOB."
        )
    name = name or (names[0] if names else None)
    options = given if name else {**given, "files": (str(wanted),)}
    has_period = bool({"period", "from_", "to"} & given.keys())
    stand_in = {} if name is None or has_period else stand_ins(config, name)
    job = resolve_job(config, name, {**options, **stand_in, "table": table})
    return job if has_period else replace(job, period=None)


def _loading_into(config: Config, table: TableName, given: Mapping[str, object]) -> list[str]:
    target = {"target": given["target"]} if "target" in given else {}
    found = []
    for name in config.jobs:
        job = resolve_job(config, name, stand_ins(config, name))
        same_target = (
            not target or job.target == resolve_job(config, name, {**stand_ins(config, name), **target}).target
        )
        if same_target and str(job.table).casefold() == str(table).casefold():
            found.append(name)
    return found


def loading_elsewhere(config: Config, table: TableName, target: str) -> dict[str, str]:
    """The jobs that load a table of that name into another target than this one.

    :param target: URL of the warehouse.
    :returns: where each of them loads it, as its settings call the target.
    """
    found = {}
    for name in config.jobs:
        asked = _Request.of(config, name, stand_ins(config, name))
        job = resolve_job(config, name, stand_ins(config, name))
        if job.target != target and job.table.parts[-1].casefold() == table.parts[-1].casefold():
            found[name] = str(asked.layers.value("target"))
    return found


def who_answers(config: Config) -> dict[str, str]:
    """Which plugins answer where several could, for commands that look at no job: what ``[defaults]`` say."""
    return Layers.collect(config, None, {}).use()


def name_or_files(config: Config, arguments: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """Tell the name of a job from names of files, as in ``etl load [JOB | FILE…]``.

    A word that is both is the job; ``./word`` is the file.

    :returns: the job's name or None, and the files.
    :raises UsageError: the word is neither, or several jobs are named.
    """
    if len(arguments) == 1 and arguments[0] in config.jobs:
        return arguments[0], ()
    for word in arguments:
        is_file = os.path.lexists(word)
        if word in config.jobs and not is_file:
            raise UsageError(
                f"{word!r} is a job, and only one job runs at a time", advice="Name one job, or only files."
            )
        if config.jobs and not is_file and re.fullmatch(r"[\w-]+", word):
            raise unknown_job(config, word)
    return None, tuple(arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    name: str | None
    files: tuple[str, ...]
    again: bool
    layers: Layers

    @classmethod
    def of(cls, config: Config, name: str | None, overrides: Mapping[str, object] | None) -> _Request:
        given = {key: value for key, value in (overrides or {}).items() if value is not None}
        files = tuple(str(file) for file in _sequence(given.pop("files", ())))
        again = bool(given.pop("again", False))
        if name is None and not files:
            name = _only_job(config)
        return cls(name=name, files=files, again=again, layers=Layers.collect(config, name, given))


def _only_job(config: Config) -> str:
    if len(config.jobs) == 1:
        return next(iter(config.jobs))
    if not config.jobs:
        where = f"{config.path} has no jobs" if config.path else "there is no etl.toml here"
        raise UsageError(f"nothing to load: {where}", advice="Name a file, or write a job with `etl config init`.")
    raise UsageError("there are several jobs, and none is named", advice=f"Name one of: {', '.join(config.jobs)}.")


def _patterns(config: Config, asked: _Request) -> tuple[str, ...]:
    if asked.files:
        return tuple(anchored(file, Path.cwd()) for file in asked.files)
    source, origin = asked.layers.value("source"), asked.layers.origin("source")
    if source is None:
        raise _job_error(config, asked, "source is missing", "Write source, the path or pattern of the files.")
    try:
        patterns = tuple(anchored(pattern, origin.folder) for pattern in source)
        for pattern in patterns:
            check_pattern(pattern)
    except UsageError as error:
        raise origin.error(error.message, advice=error.advice) from error
    return patterns


def _table(config: Config, asked: _Request) -> TableName:
    table: TableName | None = asked.layers.value("table")
    if table is not None:
        return table
    if asked.name is None:
        return TableName((table_stem(asked.files[0]),))
    raise _job_error(config, asked, "table is missing", "Write table, where the rows go.")


def _job_error(config: Config, asked: _Request, message: str, advice: str) -> UsageError:
    origin = config.job_origins.get(asked.name or "", Origin(label="command line"))
    return origin.error(message, advice=advice)


def _target(config: Config, chosen: Layers, *, bare: bool) -> str:
    target: str = chosen.value("target")
    origin = chosen.origin("target")
    if target in config.targets:
        origin, target = config.targets[target].origin, config.targets[target].url
    elif ":" not in target:
        meant = did_you_mean(similar(target, list(config.targets)))
        known = f"Targets: {', '.join(config.targets)}." if config.targets else "No targets are declared; write a URL."
        raise origin.error(f"{target!r} is not a target", advice=f"{meant}{known}")
    if holds_secret(target):
        raise origin.error("holds a password", advice="Put it into connections.toml or the driver's own environment.")
    in_project = origin.label == "default" and not bare
    return anchored_url(target, config.folder if in_project else origin.folder)


def anchored_url(url: str, folder: Path) -> str:
    """The URL with the path of a local file made absolute."""
    # Names of connections have neither slash nor suffix: what has one is a local file, found from any folder.
    match = re.fullmatch(r"([a-z][a-z0-9+.-]*):(?!/)([^:?]*(?:/[^:?]*|\.\w+))(\?.*)?", url)
    if match is None:
        return url
    return f"{match[1]}:{os.path.normpath(folder / Path(match[2]).expanduser())}{match[3] or ''}"


def _executor(chosen: Layers) -> str:
    executor: str = chosen.value("executor")
    workers = chosen.value("jobs")
    if workers is None or chosen.rank("jobs") > chosen.rank("executor"):
        return executor
    scheme = executor.partition(":")[0]
    if scheme not in _COUNTED_EXECUTORS:
        raise chosen.origin("jobs").error(
            f"executor {executor!r} has its own number of workers", advice="Leave the number of jobs away."
        )
    return f"{scheme}:{workers}"


def _check_together(job: Job, chosen: Layers) -> None:
    mode = chosen.origin("mode")
    where = f"[jobs.{job.name}]" if job.configured else "[defaults] of etl.toml"
    if job.mode is Mode.MERGE and not job.keys:
        raise mode.error("merge needs keys", advice=f"Set keys in {where} to the columns that identify a row.")
    if job.mode is Mode.REPLACE_PERIOD and job.date_column is None:
        raise mode.error(
            "replace-period needs date_column", advice=f"Set date_column in {where} to the column with a row's day."
        )
    if job.mode is Mode.REPLACE_PERIOD and job.period is None:
        raise mode.error("replace-period needs a period", advice="Give --period 2024-01, or --from and --to.")
    # Who says abort in a stronger place means it, whatever a weaker one says of quarantines.
    if job.on_bad_rows is OnBadRows.ABORT and chosen.is_given("max_bad_rows", at_least_as_strong_as="on_bad_rows"):
        raise chosen.origin("max_bad_rows").error(
            "bad rows stop the load, so no number of them is set aside",
            advice='Add --on-bad-rows quarantine (on_bad_rows = "quarantine" in etl.toml), or leave the limit out.',
        )
    days = {column.name: column.type for column in job.columns}
    day = days.get(job.date_column or "")
    if day is not None and day.kind not in {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}:
        raise chosen.origin("date_column").error(
            f"column {job.date_column!r} is of type {day}", advice="Name a column of type date or timestamp."
        )


def _said(column: Column) -> str:
    required, written = " not null" * column.required, f", written {column.format}" if column.format else ""
    return f"{column.type}{required}{written}"


def _sequence(value: object) -> Iterator[object]:
    if isinstance(value, str | Path):
        yield value
    elif isinstance(value, Sequence):
        yield from value


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)
