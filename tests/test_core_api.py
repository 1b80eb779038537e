"""What Python programs may say, and what they are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl_framework import UsageError, analyze, load, validate

FUNCTIONS = (load, validate, analyze)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv", "c.csv"):
        Path(name).write_text(f"n,name\n1,{name}\n")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_unknown_keyword_is_named_as_python_does(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError) as caught:
        function("a.csv", tabel="t")
    assert str(caught.value) == (
        f"{function.__name__}() got an unexpected keyword argument 'tabel'. Did you mean 'table'?"
    )
    with pytest.raises(TypeError, match=r"'nonsense'; there are source, table, .* again$"):
        function("a.csv", nonsense=1)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_wrong_value_is_named_by_its_keyword(function: Callable[..., Any]) -> None:
    with pytest.raises(UsageError) as caught:
        function("a.csv", on_bad_rows="keep")
    assert caught.value.message == "on_bad_rows: 'keep' is not allowed"


@pytest.mark.parametrize(
    "files",
    [(["a.csv", "b.csv"],), ((Path("a.csv"), "b.csv"),), ("a.csv", ["b.csv"]), ({"a.csv": 1, "b.csv": 2}.keys(),)],
)
def test_files_may_be_given_as_a_list(files: tuple[Any, ...]) -> None:
    assert load(*files, table="t").rows_loaded == 2


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_empty_list_of_files_is_not_the_whole_job(function: Callable[..., Any]) -> None:
    Path("etl.toml").write_text('[jobs.j]\nsource = "*.csv"\ntable = "t"\n')
    with pytest.raises(UsageError, match="an empty list of files"):
        function([])
