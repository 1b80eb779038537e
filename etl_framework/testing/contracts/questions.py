"""The contract of everybody who may be asked: what is not theirs, they leave to others."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from etl_framework.errors import EtlError, NoPluginError
from etl_framework.testing.checking import literal_job
from etl_framework.testing.contracts.base import PluginContract
from etl_framework.values import PackedPart, StagedPart

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl_framework.plugins import Plugins

FOREIGN = "no-such-scheme"


class _ForeignWarehouse:
    """Somebody else's."""

    url = f"{FOREIGN}:somewhere"
    content = "source"
    default_codec = "none"
    dialect = ""


class QuestionsContract(PluginContract):
    """A plugin that answers a question answers None for targets, executors and codecs that are not its own.

    >>> class TestOurAnswers(QuestionsContract):
    ...     def plugin(self):
    ...         return acme_warehouse
    """

    @pytest.mark.parametrize("url", [f"{FOREIGN}:", f"{FOREIGN}:somewhere?option=1", FOREIGN, "", ":", "☃:x"])
    def test_a_foreign_target_is_left_to_others(self, url: str) -> None:
        """Everybody is asked about every target."""
        if (plugins := self._asked("etl_connect")) is None:
            return
        _left_to_others(lambda: plugins.connect(url), f"etl_connect({url!r})")

    @pytest.mark.parametrize("url", [f"{FOREIGN}:", f"{FOREIGN}:4", FOREIGN, ""])
    def test_a_foreign_executor_is_left_to_others(self, url: str) -> None:
        """Everybody is asked about every executor."""
        if (plugins := self._asked("etl_executor")) is None:
            return
        _left_to_others(lambda: plugins.executor(url), f"etl_executor({url!r})")

    def test_a_foreign_codec_is_left_to_others(self) -> None:
        """Everybody is asked about every name, whatever the level."""
        if (plugins := self._asked("etl_compress")) is None:
            return
        for level in (None, 3):
            job = literal_job(compress="no-such-codec", compress_level=level)
            _left_to_others(partial(plugins.codec, job, f"{FOREIGN}:"), "etl_compress(compress='no-such-codec')")

    def test_a_part_for_a_foreign_warehouse_is_left_to_others(self) -> None:
        """Who did not connect to it cannot bring anything there."""
        if (plugins := self._asked("etl_upload")) is None:
            return
        part = PackedPart(part=0, piece=0, path=Path("0"), name="0", size=1, digest="0", rows=1)
        foreign: Any = _ForeignWarehouse()
        run: Any = None
        _left_to_others(lambda: plugins.upload(part, foreign, run), "etl_upload into a foreign warehouse")

    def test_a_load_into_a_foreign_warehouse_is_left_to_others(self) -> None:
        """Nor load into it."""
        if (plugins := self._asked("etl_load")) is None:
            return
        part = StagedPart(part=0, piece=0, name="0", size=1, digest="0", rows=1)
        foreign: Any = _ForeignWarehouse()
        run: Any = None
        _left_to_others(lambda: plugins.load_parts((part,), foreign, run), "etl_load into a foreign warehouse")

    def _asked(self, hook: str) -> Plugins | None:
        plugins = self.plugins()
        [info] = plugins.infos
        return plugins if hook in info.hooks else None


def _left_to_others(ask: Callable[[], object], question: str) -> None:
    try:
        answer = ask()
    except NoPluginError:
        return
    except EtlError as error:
        pytest.fail(f"{question} must answer None, but: {error.message}")
    pytest.fail(f"{question} must answer None, not {type(answer).__name__}")
