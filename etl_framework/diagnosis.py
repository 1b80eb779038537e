"""What ``etl doctor`` looks at: machine, configuration, plugins, state folder, targets."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from etl_framework.config import who_answers
from etl_framework.config_check import problems
from etl_framework.errors import ExitCode, PluginError
from etl_framework.executors import usable_cores
from etl_framework.plugins import Plugins
from etl_framework.targets import check_target, targets
from etl_framework.terminal import bytes_in_words, counted

if TYPE_CHECKING:
    from etl_framework.targets import TargetCheck
    from etl_framework.workspace import Workspace

_LITTLE_ROOM = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One thing that was looked at.

    :param subject: what.
    :param ok: whether it is in order.
    :param detail: what was found.
    :param advice: what to do when it is not.
    :param exit_code: how the command ends because of it.
    """

    subject: str
    ok: bool
    detail: str
    advice: str = ""
    exit_code: ExitCode = ExitCode.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that was looked at."""

    checks: tuple[CheckResult, ...]

    @property
    def exit_code(self) -> ExitCode:
        """That of the first thing that is not in order."""
        return next((check.exit_code for check in self.checks if not check.ok), ExitCode.DONE)


def diagnose(workspace: Workspace) -> Diagnosis:
    """Look at everything; what is wrong is found, not raised."""
    return Diagnosis(checks=tuple(_checks(workspace)))


def recommended_workers(cores: int) -> int:
    """How many parts to read at a time: all of 1–4 cores, one less of 5–8, three quarters of 9–16, half of more."""
    if cores <= 4:
        return max(cores, 1)
    if cores <= 8:
        return cores - 1
    return cores * 3 // 4 if cores <= 16 else cores // 2


def _checks(workspace: Workspace) -> Iterator[CheckResult]:
    yield CheckResult(subject="etl", ok=True, detail=version("etl-framework"))
    yield CheckResult(subject="python", ok=True, detail=f"{platform.python_version()} on {platform.platform()}")
    cores = usable_cores()
    yield CheckResult(
        subject="cores", ok=True, detail=f"{cores} usable; {counted(recommended_workers(cores), 'worker')} recommended"
    )
    if (memory := _memory()) is not None:
        yield CheckResult(subject="memory", ok=True, detail=bytes_in_words(memory))
    surveyed = Plugins.survey(workspace.settings)
    yield from _configuration(workspace, surveyed)
    yield _state(workspace.state.folder)
    for info in surveyed.infos:
        yield CheckResult(
            subject=f"plugin {info.name}",
            ok=not info.error,
            detail=info.error or f"{info.provider}{' (disabled)' * info.disabled}",
            advice=f"Repair it, or leave it out with --disable-plugin {info.name}." if info.error else "",
            exit_code=ExitCode.PLUGIN,
        )
    yield from _who_answers(workspace, surveyed)
    for target in targets(workspace.config):
        if target.name:
            yield from _target(check_target(target, workspace.config, surveyed))


def _who_answers(workspace: Workspace, plugins: Plugins) -> Iterator[CheckResult]:
    try:
        plugins.use(who_answers(workspace.config))
    except PluginError as error:
        yield CheckResult(subject="use", ok=False, detail=error.message, advice=error.advice, exit_code=error.exit_code)


def _configuration(workspace: Workspace, plugins: Plugins) -> Iterator[CheckResult]:
    path = workspace.config.path
    wrong = problems(workspace.config, plugins)
    for error in wrong:
        yield CheckResult(
            subject="configuration", ok=False, detail=error.message, advice=error.advice, exit_code=error.exit_code
        )
    if path is None:
        yield CheckResult(subject="configuration", ok=True, detail="no etl.toml here: only bare files can be loaded")
    elif not wrong:
        yield CheckResult(
            subject="configuration", ok=True, detail=f"{path}: {counted(len(workspace.config.jobs), 'job')}"
        )


def _state(folder: Path) -> CheckResult:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        return CheckResult(
            subject="state folder",
            ok=False,
            detail=f"{folder}: {error.strerror}",
            advice="Point --state-dir or ETL_STATE_DIR to a folder that can be written.",
            exit_code=ExitCode.FAILED,
        )
    return CheckResult(
        subject="state folder",
        ok=free > _LITTLE_ROOM,
        detail=f"{folder}: {bytes_in_words(free)} free",
        advice="" if free > _LITTLE_ROOM else "Make room: parts are staged there before they are loaded.",
        exit_code=ExitCode.FAILED,
    )


def _target(found: TargetCheck) -> Iterator[CheckResult]:
    """A target in one line, and one more for each thing that is wrong with it or worth knowing."""
    subject = f"target {found.name}"
    if found.error:
        yield CheckResult(subject=subject, ok=False, detail=found.error, advice=found.advice, exit_code=found.exit_code)
        return
    plain = [fact for fact in found.facts if fact.ok and not fact.advice]
    yield CheckResult(subject=subject, ok=True, detail=", ".join(f"{fact.label} {fact.value}" for fact in plain))
    for fact in found.facts:
        if fact not in plain:
            detail = f"{fact.label}: {fact.value}"
            yield CheckResult(subject=subject, ok=fact.ok, detail=detail, advice=fact.advice, exit_code=ExitCode.FAILED)


def _memory() -> int | None:
    if sys.platform == "win32":
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
