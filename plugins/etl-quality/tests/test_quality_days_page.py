"""What docs/quality.md shows of the checks of days is what its settings give."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from etl_quality import freshness

PAGE = Path(__file__).parents[3] / "docs" / "quality.md"


def delivered() -> str:
    """January on working days, but for a day that is too small, two that are missing, and a row of February."""
    rows = ["recordDate,assetId"]
    for at in range(31):
        day = date(2024, 1, 1) + timedelta(days=at)
        usual = 0 if day.weekday() >= 5 or day.day in (17, 18) else 1200 + at % 7 * 3
        rows += [f"{day},{number}" for number in range(40 if day.day == 10 else usual)]
    return "\n".join([*rows, "2024-02-01,5"])


def test_the_findings_of_the_page_are_what_its_settings_give(findings_of_file, monkeypatch):
    page = PAGE.read_text(encoding="utf-8")
    [settings] = [code for code in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if "daily_rows" in code]
    job = tomllib.loads(settings)["jobs"]["lending"]
    monkeypatch.setattr(freshness, "now", lambda: datetime(2024, 2, 2, 12, tzinfo=UTC))
    found = findings_of_file(
        delivered(),
        job["columns"],
        checks=job["checks"],
        settings={"period": "2024-01", "date_column": job["date_column"]},
    )
    told = {f"{finding.severity:<8}{finding.rule}: {finding.message}": finding for finding in found}
    shown = [line for line in page.splitlines() if re.match(r"(error|warning) +(dates|daily_rows): ", line)]
    assert len(shown) == 3
    for line in shown:
        assert told[line].advice in page
        for sample in told[line].samples:
            assert f"{sample.column!r} = {sample.value!r}: {sample.reason}" in page
    [stray] = [finding for line, finding in told.items() if "outside of the period 2024-01 by" in line]
    assert f":{stray.samples[0].line} " in page
