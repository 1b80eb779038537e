"""What a run keeps in its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_framework import RunFailed
from etl_framework.errors import UnreadableRun
from etl_framework.keeping import FOLDER, discard_kept, keep, kept


def test_what_is_kept_last_is_there_alone_until_it_is_discarded(tmp_path: Path) -> None:
    assert kept(tmp_path, "answers") is None
    keep(tmp_path, "answers", {"a": 1})
    keep(tmp_path, "answers", {"b": (2, None)})
    assert kept(tmp_path, "answers") == {"b": (2, None)}
    assert kept(tmp_path, "others") is None
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["answers"]
    discard_kept(tmp_path)
    discard_kept(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_whole_leaves_what_was_kept_before(tmp_path: Path) -> None:
    keep(tmp_path, "answers", "before")
    with pytest.raises(Exception, match=r"pickle|local object"):
        keep(tmp_path, "answers", ["after", lambda: None])
    assert kept(tmp_path, "answers") == "before"


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    with pytest.raises(RunFailed, match=f"cannot write to {tmp_path}/{FOLDER}: "):
        keep(tmp_path, "answers", 1)


def test_what_is_there_and_cannot_be_read_is_not_taken_for_nothing(tmp_path: Path) -> None:
    (tmp_path / FOLDER / "answers").mkdir(parents=True)
    with pytest.raises(RunFailed, match=f"cannot read {tmp_path}/{FOLDER}/answers: "):
        kept(tmp_path, "answers")


def test_what_another_version_kept_is_said_to_be_its(tmp_path: Path) -> None:
    keep(tmp_path, "answers", 1)
    (tmp_path / FOLDER / "answers").write_bytes(b"cno_such_module\nNothing\n.")
    with pytest.raises(UnreadableRun, match=f"run {tmp_path.name} was written down by another version"):
        kept(tmp_path, "answers")
