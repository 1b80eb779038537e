"""What a job says of its load into Snowflake is understood or told with its line; nothing is connected to."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_framework import UsageError, Workspace
from etl_framework.config_check import check_config

JOB = '[jobs.m]\nsource = "m.csv"\ntable = "m"\ntarget = "snowflake:nowhere"\nkeys = ["id"]\n'
MERGE = 'snowflake.publish = "direct"\nmode = "merge"'


def check(text: str) -> None:
    """Look at a project of this configuration in the current folder."""
    Path("etl.toml").write_text(text)
    workspace = Workspace.open()
    check_config(workspace.config, workspace.plugins())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.csv").write_text("id\n1\n")


@pytest.mark.parametrize(
    ("settings", "message", "advice"),
    [
        ('snowflake.publsh = "direct"', "snowflake.publsh is not a known key", "Did you mean 'publish'? The keys are"),
        ('snowflake.publish = "dirct"', "snowflake.publish: 'dirct' is not allowed", "Did you mean 'direct'? Allowed:"),
        ("snowflake.evolve = true", "snowflake.evolve: True is not allowed", "Allowed: never, add-columns."),
        ('snowflake.async_above_mb = "x"', "snowflake.async_above_mb: must be a number of megabytes", ""),
        ("snowflake.async_above_mb = true", "snowflake.async_above_mb: must be a number of megabytes", ""),
        ("snowflake.async_above_mb = -1", "snowflake.async_above_mb: must be a number of megabytes", ""),
        ("[[jobs.m.snowflake]]", "jobs.m.snowflake: must be a table", "The keys are publish, "),
        (MERGE, "snowflake.publish: a merge cannot be published directly", "choose another mode"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_before_anything_is_connected_to(
    settings: str, message: str, advice: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check(JOB + settings)
    assert caught.value.message.startswith(f"etl.toml:6: {message}")
    assert advice in caught.value.advice
    workspace = Workspace.open()
    for run in (workspace.plan, workspace.load):
        with pytest.raises(UsageError) as caught:
            run(workspace.job("m", (), {}))
        assert caught.value.message.startswith(f"etl.toml:6: {message}")


@pytest.mark.parametrize(
    "settings", ["", 'snowflake = { publish = "direct", evolve = "add-columns" }', "snowflake = {}"]
)
def test_what_is_right_is_right_without_a_connection(settings: str) -> None:
    check(JOB + settings)


def test_what_a_merge_cannot_do_in_snowflake_is_nothing_to_another_warehouse() -> None:
    check(JOB.replace("snowflake:nowhere", "duckdb:w.duckdb") + MERGE)
    with pytest.raises(UsageError, match="publsh is not a known key"):
        check(JOB.replace("snowflake:nowhere", "duckdb:w.duckdb") + MERGE.replace("publish", "publsh"))
