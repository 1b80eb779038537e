"""Writing a new plugin: a package that installs, and whose tests pass, before its author has changed a line."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata, resources, util
from pathlib import Path
from shutil import rmtree
from string import Template
from typing import TYPE_CHECKING

from etl_framework.errors import UsageError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

KINDS: Mapping[str, str] = {
    "validator": "Checks of rows for etl-framework",
    "notifier": "Tells a webhook how runs of etl-framework ended",
    "codec": "A compression for staged parts of etl-framework",
    "warehouse": "A warehouse for etl-framework, in an SQLite file",
    "reporter": "A report of each run of etl-framework",
    "command": "A command for etl",
}
"""What can be written, and what it is in a few words."""

_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPlugin:
    """A plugin that was written.

    :param name: of the plugin, as in ``etl --disable-plugin NAME``.
    :param kind: one of :data:`KINDS`.
    :param distribution: what pip calls it.
    :param package: what Python imports.
    :param folder: where it lies, absolute.
    :param files: what was written, relative to the folder.
    """

    name: str
    kind: str
    distribution: str
    package: str
    folder: Path
    files: tuple[str, ...]


def write_plugin(name: str, kind: str, folder: Path | None = None, *, taken: Iterable[str] = ()) -> NewPlugin:
    """Write a package with one plugin of a kind, its tests and a README.

    :param name: of the distribution, such as ``acme-checks``; the plugin is called so, too, in lower case and without
        an ``etl-`` at its beginning.
    :param kind: one of :data:`KINDS`.
    :param folder: a new folder; None for one of the distribution's name in the current folder.
    :param taken: names of plugins and commands that are there already.
    :raises UsageError: there is no such kind, the name cannot be one or is taken, or the folder is there already or
        cannot be written.
    """
    if kind not in KINDS:
        raise UsageError(f"there is no kind {kind!r} of plugin", advice=f"Kinds: {', '.join(KINDS)}.")
    package = _package(name)
    plugin = package.replace("_", "-").removeprefix("etl-")
    _insist_on_free(name, plugin, package, taken)
    root = (folder or Path(name)).absolute()
    words = {
        "distribution": name,
        "plugin": plugin,
        "package": package,
        "variable": f"{package.upper()}_URL",
        "description": KINDS[kind],
        "requirement": _requirement(),
    }
    written = {
        Template(path).substitute(words): Template(text).substitute(words)
        for path, text in (*_templates("common"), *_templates(kind))
    }
    _write(root, {path: f"{text.rstrip()}\n" if text.strip() else "" for path, text in sorted(written.items())})
    return NewPlugin(
        name=plugin, kind=kind, distribution=name, package=package, folder=root, files=tuple(sorted(written))
    )


def _package(name: str) -> str:
    """The package of a distribution.

    :raises UsageError: the name is none of a distribution, or Python could not import the package.
    """
    advice = "Choose one of letters, digits and hyphens that begins with a letter, such as acme-checks."
    if not _DISTRIBUTION.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of a distribution", advice=advice)
    package = re.sub(r"[-._]+", "_", name).lower()
    if not package.isidentifier() or keyword.iskeyword(package) or package in sys.stdlib_module_names:
        reason = "which is Python's own" if package.isidentifier() else "which is no name in Python"
        raise UsageError(f"the package of {name!r} would be called {package!r}, {reason}", advice=advice)
    return package


def _insist_on_free(name: str, plugin: str, package: str, taken: Iterable[str]) -> None:
    if plugin in taken:
        raise UsageError(
            f"the name {plugin!r} is taken: there is a plugin or a command that is called so",
            advice="Choose another one; `etl plugins list` shows the plugins, `etl --help` the commands.",
        )
    if package in sys.modules or util.find_spec(package) is not None:
        raise UsageError(
            f"the package of {name!r} would be called {package!r}, and there is a package of that name here",
            advice="Choose another name, or uninstall what is called so.",
        )


def _requirement() -> str:
    """Which versions of the framework a plugin that is written now works with."""
    major, minor, *_ = metadata.version("etl-framework").split(".")
    return f"etl-framework>={major}.{minor},<{major}.{int(minor) + 1}"


def _templates(folder: str) -> Iterable[tuple[str, str]]:
    """Path, which is a template itself, and text of each file of a scaffold."""

    def walk(at: Traversable, path: str) -> Iterable[tuple[str, str]]:
        for entry in at.iterdir():
            if entry.is_dir():
                yield from walk(entry, f"{path}{entry.name}/")
            elif entry.name.endswith(".tmpl"):
                yield path + entry.name.removesuffix(".tmpl"), entry.read_text(encoding="utf-8")

    return walk(resources.files("etl_framework") / "scaffolds" / folder, "")


def _write(root: Path, files: Mapping[str, str]) -> None:
    """Write a new folder, whole or not at all."""
    try:
        root.mkdir(parents=True)
    except FileExistsError as error:
        raise UsageError(
            f"{root} is there already", advice="Nothing was written. Name another folder with --folder."
        ) from error
    except OSError as error:
        raise UsageError(
            f"cannot make {root}: {error.strerror}", advice="Name another folder with --folder."
        ) from error
    try:
        for path, text in files.items():
            file = root / path
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        rmtree(root, ignore_errors=True)
        raise UsageError(f"cannot write {file}: {error.strerror}", advice="Nothing was kept.") from error
