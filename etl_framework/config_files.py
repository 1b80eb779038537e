"""Reading ``etl.toml`` and the user's own file; every error names file, line and key."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError

from etl_framework.config_lines import KeyPath, key_lines
from etl_framework.config_models import (
    JobSettings,
    ProjectFile,
    UserFile,
    explain_error,
    known_keys,
    split_sections,
)
from etl_framework.config_secrets import secret_keys
from etl_framework.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

FILE_NAME = "etl.toml"
ModelT = TypeVar("ModelT", bound=UserFile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a setting was given.

    :param label: ``etl.toml:12``, ``--mode``, ``ETL_MODE``, ``default``.
    :param key: dotted key within the file, empty elsewhere.
    :param folder: what relative paths in the setting are relative to.
    """

    label: str
    key: str = ""
    folder: Path = field(default_factory=Path.cwd)

    def error(self, message: str, *, advice: str = "") -> UsageError:
        """The error for what stands here: a :class:`ConfigError` when it is in a file."""
        if self.key:
            return ConfigError(f"{self.label}: {self.key}: {message}", advice=advice)
        return UsageError(f"{self.label}: {message}", advice=advice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The settings of a job that were given in one place; stronger layers override weaker ones.

    :param settings: the core's own.
    :param sections: the plugins'.
    :param origins: where each setting and section was given, by key; the keys of a table by ``table.key``, and those of
        a list of tables by the table's number from 1, and by its name: ``rules.1.sql``, ``rules.NAME.sql``.
    """

    settings: JobSettings = field(default_factory=JobSettings)
    sections: Mapping[str, object] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A warehouse with a name."""

    url: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The configuration of a project, as its files tell it.

    :param path: ``etl.toml``, absolute; None when there is none.
    :param folder: what relative paths are relative to: that of ``etl.toml``, or the current one.
    :param state_dir: where journal, logs and rejects lie; absolute, may not exist yet.
    :param plugins: files that hold plugins, absolute.
    :param required_plugins: names of plugins without which nothing runs.
    :param disabled_plugins: names of plugins that are not loaded.
    :param targets: warehouses by name.
    :param jobs: what each job says, by name, in the order of the file.
    :param job_origins: where each job stands.
    :param defaults: what holds for every job, the strongest first.
    :param environment: the variables that override settings (``ETL_*``).
    """

    path: Path | None = None
    folder: Path
    state_dir: Path
    plugins: tuple[Path, ...] = ()
    required_plugins: tuple[str, ...] = ()
    disabled_plugins: tuple[str, ...] = ()
    targets: Mapping[str, Target] = field(default_factory=dict)
    jobs: Mapping[str, Layer] = field(default_factory=dict)
    job_origins: Mapping[str, Origin] = field(default_factory=dict)
    defaults: tuple[Layer, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def load_config(
    path: Path | None = None, *, state_dir: Path | None = None, environment: Mapping[str, str] | None = None
) -> Config:
    """Read the configuration.

    :param path: the file; None looks for ``etl.toml`` in the current folder and does without when there is none.
    :param state_dir: overrides where the state lies.
    :param environment: overrides the process's own environment.
    :raises ConfigError: the file is missing, is no TOML, or says something that cannot be understood.
    """
    variables = dict(os.environ if environment is None else environment)
    user = _read_user_file(variables)
    weakest = (user.layer(("defaults",), user.said.defaults),) if user else ()
    if path is None and not Path(FILE_NAME).is_file():
        here = Path.cwd()
        return Config(
            folder=here,
            state_dir=_state_dir(here, state_dir, variables, None),
            targets=user.targets() if user else {},
            defaults=weakest,
            environment=_overriding(variables),
        )
    document = _read_document(path or Path(FILE_NAME), ProjectFile)
    said = document.said
    folder = document.path.parent
    return Config(
        path=document.path,
        folder=folder,
        state_dir=_state_dir(folder, state_dir, variables, said.state_dir),
        plugins=tuple(folder / Path(name).expanduser() for name in said.plugins),
        required_plugins=said.required_plugins,
        disabled_plugins=said.disabled_plugins,
        targets={**(user.targets() if user else {}), **document.targets()},
        jobs={name: document.layer(("jobs", name), job) for name, job in said.jobs.items()},
        job_origins={name: document.origin(("jobs", name)) for name in said.jobs},
        defaults=(document.layer(("defaults",), said.defaults), *weakest),
        environment=_overriding(variables),
    )


def dotted(path: KeyPath) -> str:
    """A path as people write it: ``jobs.sales.rules[0].sql``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"'
            text += f".{name}" if text else name
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document(Generic[ModelT]):
    path: Path
    shown: str
    data: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    said: ModelT

    def origin(self, path: KeyPath) -> Origin:
        return Origin(label=f"{self.shown}:{_line(self.lines, path)}", key=dotted(path), folder=self.path.parent)

    def layer(self, table: KeyPath, settings: JobSettings) -> Layer:
        raw: Any = self.data
        for part in table:
            raw = raw.get(part, {})
        return Layer(
            settings=settings,
            sections=split_sections(raw)[1],
            origins={".".join(names): self.origin((*table, *path)) for names, path in _keys_within(raw)},
        )

    def targets(self) -> dict[str, Target]:
        return {
            name: Target(url=target.url, origin=self.origin(("targets", name, "url")))
            for name, target in self.said.targets.items()
        }


def _keys_within(value: object) -> Iterator[tuple[tuple[str, ...], KeyPath]]:
    """Every key below a table or a list of tables: how errors call it, and its path in the document."""
    steps: list[tuple[str, str | int, object]] = []
    if isinstance(value, dict):
        steps = [(key, key, inner) for key, inner in value.items()]
    elif isinstance(value, list):
        tables = [(at, inner) for at, inner in enumerate(value) if isinstance(inner, dict)]
        steps = [(str(at + 1), at, inner) for at, inner in tables]
        steps += [(inner["name"], at, inner) for at, inner in tables if isinstance(inner.get("name"), str)]
    for name, key, inner in steps:
        yield (name,), (key,)
        yield from (((name, *names), (key, *path)) for names, path in _keys_within(inner))


def _read_document(path: Path, model: type[ModelT]) -> _Document[ModelT]:
    shown = str(path)
    text = _read_text(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{shown}: {error}", advice="Correct the TOML there.") from error
    lines = key_lines(text)
    for secret in secret_keys(data):
        raise ConfigError(
            f"{shown}:{_line(lines, secret)}: {dotted(secret)}: a secret must not stand in a configuration file",
            advice="Put it into connections.toml or an environment variable, name that here, and change the secret.",
        )
    try:
        said = model.model_validate(_without_sections(data))
    except ValidationError as error:
        raise _config_error(shown, lines, model, error) from error
    return _Document(path=path.absolute(), shown=shown, data=data, lines=lines, said=said)


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration {path}: {error.strerror}",
            advice="Name another file with -c, or write one with `etl config init`.",
        ) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8", advice="Save the file as UTF-8.") from error


def _without_sections(data: Mapping[str, Any]) -> dict[str, Any]:
    settings = dict(data)
    if isinstance(settings.get("defaults"), dict):
        settings["defaults"] = split_sections(settings["defaults"])[0]
    if isinstance(settings.get("jobs"), dict):
        settings["jobs"] = {
            name: split_sections(job)[0] if isinstance(job, dict) else job for name, job in settings["jobs"].items()
        }
    return settings


def _line(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    # A missing key stands on the line of the table that lacks it.
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _config_error(
    shown: str, lines: Mapping[KeyPath, int], model: type[UserFile], found: ValidationError
) -> ConfigError:
    said = []
    for error in found.errors():
        path = _written_path(lines, error)
        message, advice = explain_error(error, known_keys(model, path[:-1]))
        said.append((_line(lines, path), f"{dotted(path)}: {message}", advice))
    said.sort()
    if len(said) == 1:
        line, message, advice = said[0]
        return ConfigError(f"{shown}:{line}: {message}", advice=advice)
    return ConfigError("\n".join(f"{shown}:{line}: {message}. {advice}".rstrip() for line, message, advice in said))


def _written_path(lines: Mapping[KeyPath, int], error: ErrorDetails) -> KeyPath:
    # Short forms (`price = "decimal"` for a table) fail at keys that nobody wrote.
    path: KeyPath = error["loc"]
    while error["type"] != "missing" and path and path not in lines:
        path = path[:-1]
    return path


def _read_user_file(variables: Mapping[str, str]) -> _Document[UserFile] | None:
    home = variables.get("XDG_CONFIG_HOME") or str(Path(variables.get("HOME", "~")).expanduser() / ".config")
    path = Path(home) / "etl" / "config.toml"
    return _read_document(path, UserFile) if path.is_file() else None


def _overriding(variables: Mapping[str, str]) -> dict[str, str]:
    # The rest of the environment may hold secrets.
    return {name: value for name, value in variables.items() if name.startswith("ETL_")}


def _state_dir(folder: Path, given: Path | None, variables: Mapping[str, str], said: Path | None) -> Path:
    if given is not None:
        return given.expanduser().absolute()
    if variables.get("ETL_STATE_DIR"):
        return Path(variables["ETL_STATE_DIR"]).expanduser().absolute()
    return folder / (said.expanduser() if said else Path(".etl"))
