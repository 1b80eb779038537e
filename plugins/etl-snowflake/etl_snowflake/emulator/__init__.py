"""A Snowflake account on this machine, to test and rehearse loads against.

It speaks Snowflake's wire protocol to the real drivers. Ordinary SQL runs in DuckDB through fakesnow; all that a loader
stands on (sessions, stages, COPY, load metadata, asynchronous queries, faults) is this package's own. What it does not
emulate it refuses with error 391999. Nothing here is imported by the plugin itself.
"""

import atexit
import shutil
import sys


def _remove_bucket() -> None:
    """Remove the folder that fakesnow makes when it is imported: it leaves it behind, and nothing is ever put there."""
    if made := sys.modules.get("fakesnow.transforms.stage"):
        shutil.rmtree(made.LOCAL_BUCKET_PATH, ignore_errors=True)


atexit.register(_remove_bucket)
