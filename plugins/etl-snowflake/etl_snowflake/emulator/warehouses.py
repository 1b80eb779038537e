"""Virtual warehouses: a name, a size, whether it runs; no statement is faster on a larger one."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from etl_snowflake.emulator.errors import SnowflakeError, does_not_exist

_SIZES = {"XSMALL": "X-Small", "SMALL": "Small", "MEDIUM": "Medium", "LARGE": "Large", "XLARGE": "X-Large"}


@dataclass
class Warehouse:
    """One warehouse."""

    name: str
    size: str = "X-Small"
    state: str = "STARTED"
    auto_suspend: int = 600
    auto_resume: bool = True
    created_on: datetime = field(default_factory=lambda: datetime.now(UTC))


class Warehouses:
    """The account's warehouses, at first one X-Small named COMPUTE_WH."""

    def __init__(self) -> None:
        self.default = "COMPUTE_WH"
        self.by_name = {self.default: Warehouse(self.default)}

    def known(self, name: str | None) -> str | None:
        """The name when such a warehouse exists."""
        return name if name in self.by_name else None

    def get(self, name: str) -> Warehouse:
        """A warehouse.

        :raises SnowflakeError: there is none of that name.
        """
        if name not in self.by_name:
            raise does_not_exist("Warehouse", name)
        return self.by_name[name]

    def alter(self, name: str, changes: dict[str, object]) -> None:
        """Set WAREHOUSE_SIZE, AUTO_SUSPEND, AUTO_RESUME."""
        warehouse = self.get(name)
        if "WAREHOUSE_SIZE" in changes:
            size = str(changes["WAREHOUSE_SIZE"]).upper().replace("-", "")
            warehouse.size = _SIZES.get(size, str(changes["WAREHOUSE_SIZE"]))
        if "AUTO_SUSPEND" in changes:
            value = changes["AUTO_SUSPEND"]
            warehouse.auto_suspend = value if isinstance(value, int) else 0
        if "AUTO_RESUME" in changes:
            warehouse.auto_resume = bool(changes["AUTO_RESUME"])

    def require_running(self, name: str | None) -> None:
        """Start the session's warehouse if it may start by itself.

        :raises SnowflakeError: 606, when none is selected or it is suspended without AUTO_RESUME.
        """
        warehouse = self.by_name.get(name or "")
        if warehouse is None or (warehouse.state == "SUSPENDED" and not warehouse.auto_resume):
            raise SnowflakeError(
                "No active warehouse selected in the current session.  "
                "Select an active warehouse with the 'use warehouse' command.\n",
                606,
                "57P03",
            )
        warehouse.state = "STARTED"
