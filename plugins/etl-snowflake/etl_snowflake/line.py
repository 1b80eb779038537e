"""Which of its two lines the driver is of."""

from __future__ import annotations

import snowflake.connector

IS_NEW_LINE = not snowflake.connector.__version__.startswith("4.")
"""Whether it is of line 5, which is written in Rust."""
