"""``etl plugins check``: the contracts of an installed plugin, without its author having written a test."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from etl_framework.errors import PluginError
from etl_framework.plugins import Plugins, PluginSettings
from etl_framework.testing.clock import Clock

if TYPE_CHECKING:
    from etl_framework.plugins.plugin import Plugin
    from etl_framework.values import Job

_MODULE = """
from etl_framework.testing.contracts.of_plugin import contracts

globals().update(contracts())
"""
_LONGEST = 300
"""Characters of a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A promise of a contract, and whether the plugin keeps it.

    :param contract: which, such as ``validator``.
    :param promise: in words.
    :param ok: whether it is kept; None when that could not be tried.
    :param why: why not.
    """

    contract: str
    promise: str
    ok: bool | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What checking a plugin gave.

    :param plugin: its name.
    :param promises: that were tried, by contract.
    :param not_run: the contracts that its hooks call for and that could not be tried, with the reason.
    """

    plugin: str
    promises: tuple[Promise, ...]
    not_run: tuple[Promise, ...]

    @property
    def kept(self) -> bool:
        """Whether every promise that was tried is kept."""
        return all(promise.ok is not False for promise in self.promises)


@dataclass(kw_only=True)
class Request:
    """What is to be examined; the contracts are made of it while pytest collects.

    :param plugin: loaded.
    :param settings: with which it was found.
    :param job: whose settings and sources its checks are tried with.
    :param target: URL of an empty scratch place.
    :param not_run: takes down what cannot be tried.
    :param broken: takes down what is broken so that nothing more can be tried.
    :param busy_with: the hook that is being asked which contracts it calls for.
    """

    plugin: Plugin
    settings: PluginSettings
    job: Job | None
    target: str | None
    not_run: list[Promise] = field(default_factory=list)
    broken: list[Promise] = field(default_factory=list)
    busy_with: str = "nothing of it yet"

    def alone(self) -> Plugins:
        """The plugin, and no other."""
        from etl_framework.plugins.discovery import Found

        found = Found()
        found.add(self.plugin)
        return Plugins(found)

    def pass_over(self, contract: str, why: str) -> None:
        """Take down that a contract cannot be tried."""
        self.not_run.append(Promise(contract=contract, promise="", ok=None, why=why))

    def fail(self, contract: str, promise: str, why: str) -> None:
        """Take down that a promise is broken, and the rest of its contract need not be tried."""
        self.broken.append(Promise(contract=contract, promise=promise, ok=False, why=_short(why)))


_requests: list[Request] = []


def requested() -> Request:
    """What is being examined."""
    return _requests[-1]


def examine(
    name: str,
    settings: PluginSettings,
    *,
    job: Job | None = None,
    target: str | None = None,
    seconds: float,
) -> Examination:
    """Try the contracts that a plugin's hooks call for.

    :param settings: which plugins are loaded.
    :param job: whose settings and first source the plugin is tried with.
    :param target: URL of an empty scratch place in its warehouse; tables called ``etl_contract_…`` stay there.
    :param seconds: that each promise may take; after one that takes longer, no other is tried. Only the main thread can
        be stopped: in another one there is no limit.
    :raises PluginError: pytest is not installed.
    """
    from etl_framework.plugins.discovery import search

    found = search(settings)
    if (plugin := found.plugins.get(name)) is None:
        info = found.infos[name]
        why = info.error or "it is disabled"
        return Examination(
            plugin=name, promises=(Promise(contract="plugin", promise="it loads", ok=False, why=why),), not_run=()
        )
    request = Request(plugin=plugin, settings=settings, job=job, target=target)
    tried = _run(request, seconds)
    loads = Promise(contract="plugin", promise="it loads", ok=True)
    return Examination(plugin=name, promises=(loads, *request.broken, *tried), not_run=tuple(request.not_run))


class _Collector:
    """Hears from pytest how every test ended."""

    def __init__(self, clock: Clock) -> None:
        self.ended: dict[tuple[str, str], Promise] = {}
        self.broken: list[str] = []
        self.interrupted: BaseException | None = None
        self.busy_with = ""
        self._clock = clock

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        contract, function, _ = _parts_of(nodeid)
        self.busy_with = f"{_in_words(contract)}: {_in_words(function)}"
        self._clock.restart()

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        self.interrupted = excinfo.value

    def pytest_internalerror(self, excinfo: Any) -> bool:
        """What ends pytest itself, such as a plugin that ends the program where no promise is being tried."""
        self.broken.append(excinfo.exconly())
        return True  # nobody else need tell of it

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.broken.append(str(report.longrepr))

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when != "call" and report.passed:
            return
        contract, function, given = _parts_of(report.nodeid)
        key = (contract, function)
        ok = None if report.skipped else bool(report.passed)
        why = "" if report.passed else _why(report, given)
        known = self.ended.get(key)
        # Of a promise that was tried with several things, the worst counts.
        if known is None or (known.ok and not ok) or (known.ok is None and ok is False):
            self.ended[key] = Promise(contract=_in_words(contract), promise=_in_words(function), ok=ok, why=why)


def _run(request: Request, seconds: float) -> tuple[Promise, ...]:
    try:
        import pytest
    except ImportError as error:
        raise PluginError(
            "the contracts of plugins are tests, and pytest is not installed",
            advice="Install it: `pip install pytest`.",
        ) from error
    clock = Clock(seconds)
    collector = _Collector(clock)
    _requests.append(request)
    try:
        with TemporaryDirectory(prefix="etl-contracts-") as folder, _without_foreign_options():
            # pytest keeps modules by name, and this may not be the first one of this process.
            path = Path(folder, f"test_contracts_{uuid4().hex}.py")
            path.write_text(_MODULE, encoding="utf-8")
            Path(folder, "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
            options = ["-c", str(Path(folder, "pytest.ini")), "--rootdir", folder, "--import-mode=importlib"]
            quiet = ["-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-W", "ignore"]
            kit = ["-p", "etl_framework.testing.plugin", "--basetemp", str(Path(folder, "tmp"))]
            with clock.running():
                pytest.main([str(path), *options, *quiet, *kit], plugins=[collector])
    finally:
        _requests.pop()
    if clock.is_up:
        where = collector.busy_with or request.busy_with
        said = f"plugin {request.plugin.info.name!r} was not done after {seconds:g} s with {where}"
        request.fail(
            "plugin", "it ends in time", f"{said}; --time-limit gives it longer, and what follows is not tried"
        )
    elif type(collector.interrupted) is KeyboardInterrupt:  # of which some of pytest's own are kinds
        raise collector.interrupted
    elif collector.broken:
        raise PluginError(
            f"the contracts of plugin {request.plugin.info.name!r} could not be tried, since {request.busy_with} "
            f"failed: {_short(collector.broken[0])}",
            advice="Correct the plugin; of one that keeps to its hooks, please report this as a defect.",
        )
    return tuple(collector.ended.values())


def _parts_of(nodeid: str) -> tuple[str, str, str]:
    """The contract, the test's function, and what it is tried with."""
    contract, _, test = nodeid.partition("::")[2].partition("::")
    function, _, given = test.partition("[")
    return contract, function, given.removesuffix("]")


@contextmanager
def _without_foreign_options() -> Iterator[None]:
    """Keep away what others added to pytest: options, and plugins that measure or report."""
    changed = {"PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _why(report: Any, given: str) -> str:
    if report.skipped and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    message = crash.message if crash else str(report.longrepr)
    bare = re.sub(r"^([a-z_]+\.)+(?=[A-Z])|^(AssertionError|Failed): ", "", message)
    # What stands below the first line is pytest's view of values, or advice for users of the plugin.
    said = _short(bare if bare.startswith("assert ") else bare.partition("\n")[0])
    return f"{given}: {said}" if given else said


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _in_words(name: str) -> str:
    """``TestTableCheck`` and ``test_it_has_a_name`` as people write them."""
    bare = name.removeprefix("Test").removeprefix("test_")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", bare).replace("_", " ").lower()
