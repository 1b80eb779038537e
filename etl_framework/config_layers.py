"""The settings of one job in layers: what is given in one place overrides what is given in a weaker one."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from etl_framework.config_files import Config, Layer, Origin
from etl_framework.config_models import JobSettings, explain_error, known_keys, similar
from etl_framework.errors import UsageError
from etl_framework.terminal import did_you_mean
from etl_framework.values import Job

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_TARGET = "duckdb:warehouse.duckdb"

# What a job has unless it is told, under the names of the settings.
_OF_A_JOB = {field.name: field.default for field in fields(Job) if field.default is not MISSING}
_DEFAULTS: Mapping[str, object] = {
    **_OF_A_JOB,
    "target": DEFAULT_TARGET,
    "columns": {},
    "part_size": _OF_A_JOB["part_bytes"],
    "block_size": _OF_A_JOB["block_bytes"],
}
_FROM_ENVIRONMENT = (
    "target",
    "table",
    "mode",
    "period",
    "check",
    "check_timeout",
    "gate",
    "on_bad_rows",
    "max_bad_rows",
    "compress",
    "compress_level",
    "part_size",
    "block_size",
    "jobs",
    "executor",
    "recursive",
)


@dataclass(frozen=True, slots=True)
class Layers:
    """Everything that was said about one job, the strongest first."""

    layers: tuple[Layer, ...]

    @classmethod
    def collect(cls, config: Config, name: str | None, given: Mapping[str, object]) -> Layers:
        """Bring together options, environment, job and defaults.

        :param name: the job, or None for bare files.
        :param given: options by the name of their setting, and ``from_`` and ``to``.
        """
        if name is not None and name not in config.jobs:
            raise unknown_job(config, name)
        job = (config.jobs[name],) if name is not None else ()
        return cls((_options_layer(given), _environment_layer(config.environment), *job, *config.defaults))

    def rank(self, key: str) -> int:
        """In which layer a setting was given, 0 for the strongest; past the last one when nowhere."""
        for rank, layer in enumerate(self.layers):
            given = getattr(layer.settings, key) if key in JobSettings.model_fields else layer.sections.get(key)
            if given is not None:
                return rank
        return len(self.layers)

    def is_given(self, key: str, *, at_least_as_strong_as: str) -> bool:
        """Whether a setting was given, and in no weaker a place than another one."""
        return self.rank(key) < len(self.layers) and self.rank(key) <= self.rank(at_least_as_strong_as)

    def value(self, key: str) -> Any:
        """A setting, or its built-in default."""
        rank = self.rank(key)
        return getattr(self.layers[rank].settings, key) if rank < len(self.layers) else _DEFAULTS.get(key)

    def origin(self, key: str) -> Origin:
        """Where a setting or section was given."""
        rank = self.rank(key)
        return self.layers[rank].origins[key] if rank < len(self.layers) else Origin(label="default")

    def use(self) -> dict[str, str]:
        """Who is to answer which question; what is said in one place adds to what is said in weaker ones."""
        merged: dict[str, str] = {}
        for layer in reversed(self.layers):
            if layer.settings.use is not None:
                merged |= layer.settings.use.model_dump(exclude_none=True)
        return merged

    def place(self, path: str) -> Origin:
        """Where a setting or a key of a table (``format.header``) was given; the table where nobody gave the key."""
        while "." in path:
            for layer in self.layers:
                if path in layer.origins:
                    return layer.origins[path]
            path = path.rpartition(".")[0]
        return self.origin(path)

    def sections(self) -> dict[str, object]:
        """The sections of plugins: tables are merged key by key, of lists the strongest counts."""
        merged: dict[str, object] = {}
        for layer in reversed(self.layers):
            for key, value in layer.sections.items():
                weaker = merged.get(key)
                both = isinstance(weaker, dict) and isinstance(value, dict)
                merged[key] = {**weaker, **value} if both else value  # type: ignore[dict-item]
        return merged


def _options_layer(given: Mapping[str, object]) -> Layer:
    given = dict(given)
    first, last = given.pop("from_", None), given.pop("to", None)
    origins = {key: Origin(label=f"--{key.replace('_', '-')}") for key in given}
    settings = {key: _validated(key, value, origins[key]) for key, value in given.items()}
    if first is not None or last is not None:
        if first is None or last is None or "period" in settings:
            raise UsageError("--from and --to go together, without --period", advice="Give both, or --period 2024-01.")
        origins["period"] = Origin(label="--from/--to")
        settings["period"] = _validated("period", f"{first}..{last}", origins["period"])
    return Layer(settings=JobSettings.model_construct(**settings), origins=origins)


def _environment_layer(environment: Mapping[str, str]) -> Layer:
    given = {
        key: environment[f"ETL_{key.upper()}"] for key in _FROM_ENVIRONMENT if environment.get(f"ETL_{key.upper()}")
    }
    origins = {key: Origin(label=f"ETL_{key.upper()}") for key in given}
    settings = {key: _validated(key, value, origins[key]) for key, value in given.items()}
    return Layer(settings=JobSettings.model_construct(**settings), origins=origins)


def _validated(key: str, value: object, origin: Origin) -> Any:
    try:
        return getattr(JobSettings.model_validate({key: value}), key)
    except ValidationError as error:
        first = error.errors()[0]
        message, advice = explain_error(first, known_keys(JobSettings, ("defaults", *first["loc"][:-1])))
        raise origin.error(message, advice=advice) from error


def unknown_job(config: Config, name: str) -> UsageError:
    """The error for a word that names no job."""
    meant = did_you_mean(similar(name, list(config.jobs)))
    known = ", ".join(config.jobs)
    where = config.path or config.folder
    return UsageError(
        f"{name!r} is neither a job in {where} nor a file",
        advice=f"{meant}{f'Jobs: {known}.' if known else 'There are no jobs; name a file.'}",
    )
