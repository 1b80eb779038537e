"""The emulator as a fixture of pytest, which loads this module at its start: so it imports nothing but pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl_snowflake.emulator.control import EmulatorControl


@pytest.fixture(scope="session")
def snowflake_emulator() -> Iterator[EmulatorControl]:
    """A running emulator of Snowflake, in a process of its own: ``connection()`` leads to it, ``reset()`` empties it.

    It is the same one for all tests. Where the extra ``etl-snowflake[emulator]`` is not installed, they are skipped.
    """
    import os
    from importlib.util import find_spec

    from etl_snowflake.emulator.control import running_emulator

    # What another interpreter lacks it says itself.
    if "ETL_EMULATOR_PYTHON" not in os.environ and find_spec("fakesnow") is None:
        pytest.skip("the emulator is not installed: pip install 'etl-snowflake[emulator]'")
    with running_emulator() as control:
        yield control
