"""Checks of a part get blocks that they are not to change."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from etl_framework import HookFailed, Plugins, read_only
from etl_framework.part_checks import PartChecks


class Meddler:
    """Writes into the second block."""

    name = "meddler"

    def __init__(self) -> None:
        self.seen = 0

    def update(self, block: Any) -> None:
        self.seen += 1
        if self.seen == 2:
            np.frombuffer(block.batch["n"].buffers()[1], np.int64)[0] = 7


def block(values: pa.Array) -> Any:
    return SimpleNamespace(batch=pa.record_batch({"n": values}))


def test_each_block_that_can_be_written_into_is_watched(tmp_path: Path) -> None:
    checks = PartChecks([("team", Meddler())], tmp_path / "checks", Plugins(), timeout=60)  # type: ignore[list-item]
    checks.update(block(pa.array([1, 2, 3])))
    with pytest.raises(HookFailed, match="'meddler' changed the batch"):
        checks.update(block(pa.array([1, 2, 3])))


def test_a_block_that_is_read_only_cannot_be_written_into(tmp_path: Path) -> None:
    checks = PartChecks([("team", Meddler())], tmp_path / "checks", Plugins(), timeout=60)  # type: ignore[list-item]
    checks.update(block(read_only(pa.array([1, 2, 3]))))
    with pytest.raises(HookFailed, match="read-only"):
        checks.update(block(read_only(pa.array([1, 2, 3]))))
