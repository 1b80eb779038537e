"""The state of the emulated account: databases, stages, warehouses, roles, sessions, queries."""

import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from fakesnow.instance import FakeSnow

from etl_snowflake.emulator import catalog
from etl_snowflake.emulator.faults import Faults
from etl_snowflake.emulator.load_metadata import LoadMetadata
from etl_snowflake.emulator.privileges import Privileges
from etl_snowflake.emulator.queries import Queries
from etl_snowflake.emulator.sessions import Sessions
from etl_snowflake.emulator.stages import Stages
from etl_snowflake.emulator.transactions import TableLocks
from etl_snowflake.emulator.users import Users
from etl_snowflake.emulator.warehouses import Warehouses

Name = tuple[str, str, str]


@dataclass
class Settings:
    """How the account behaves.

    :param accounts: account names that exist; empty accepts every name.
    :param unknown_account_status: HTTP status for an account that does not exist: 404, or 403 as older hosts answer.
    :param passwords: user name in upper case to password; a user that is not listed may use any.
    :param tokens: of OAuth, programmatic access and workload identities, each ``valid`` or ``expired``; empty accepts
        every token.
    :param in_progress_after: seconds until an unfinished statement is answered with "in progress".
    :param session_seconds: validity of a session token, told to the driver.
    :param client_side_encryption: whether internal stages are encrypted by the driver unless the stage says otherwise.
    :param databases: names of those that are there, each with a schema PUBLIC, once a login names them.
    :param idle_transaction_seconds: after which an abandoned transaction that others wait for is rolled back.
    """

    accounts: tuple[str, ...] = ()
    unknown_account_status: int = 404
    passwords: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    in_progress_after: float = 45.0
    session_seconds: int = 3600
    client_side_encryption: bool = True
    databases: tuple[str, ...] = ("DB", "REHEARSAL")
    idle_transaction_seconds: float = 14400.0


class Account:
    """Everything the server knows, replaced as a whole by `reset`.

    :param folder: where databases and stage files lie; None keeps databases in memory and files in a temporary folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self._temporary: str | None = None
        self.start(Settings())

    def start(self, settings: Settings) -> None:
        """Begin with an empty account, or with what the folder holds."""
        self.settings = settings
        if self.folder is None:
            self._temporary = tempfile.mkdtemp(prefix="snowflake_emulator_")
        root = Path(self._temporary or str(self.folder))
        databases = None if self.folder is None else root / "databases"
        if databases is not None:
            databases.mkdir(parents=True, exist_ok=True)
        catalog.list_views()
        catalog.take_apostrophes()
        self.fakesnow = FakeSnow(db_path=databases)
        for path in sorted(databases.glob("*.db")) if databases is not None else ():
            self.fakesnow.connect(path.stem).close()
        self.stages = Stages(root / "stages", persistent=self.folder is not None)
        self.file_formats: dict[Name, dict[str, object]] = {}
        self.load_metadata = LoadMetadata(root / "load_metadata.json" if self.folder else None)
        self.warehouses = Warehouses()
        self.privileges = Privileges()
        self.users = Users(self)
        self.sessions = Sessions(self)
        self.queries = Queries(self)
        self.table_locks = TableLocks(self)
        self.faults = Faults()

    def reset(self, settings: Settings) -> None:
        """Drop everything: sessions, databases, stages, faults, log.

        :raises ValueError: the account lies in a folder, which a reset would delete.
        """
        if self.folder is not None:
            raise ValueError("an emulator with a data folder is not reset; stop it and remove the folder")
        self.faults.release()
        self.sessions.close()
        old = self._temporary
        self.start(settings)
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)

    def close(self) -> None:
        """Remove the temporary folder."""
        self.faults.release()
        self.sessions.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
