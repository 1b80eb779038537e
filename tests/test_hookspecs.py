"""The specifications of the hooks keep one grammar, so that they can be read as the architecture."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from etl_framework import errors, hookspecs
from etl_framework.plugins.plugin import HOOKS

ROOT = Path(__file__).parents[1]
VERBS = ("Name", "Connect", "Make", "Find", "Give", "Bring", "Load", "Tell", "Add", "Observe")


def sections(hook: str) -> tuple[str, str, list[str]]:
    """The summary, the rest of the prose, and the fields of a hook's docstring."""
    text = inspect.getdoc(getattr(hookspecs, hook)) or ""
    prose, *fields = re.split(r"\n+(?=:|\.\. )", text)
    summary, _, when = prose.partition("\n\n")
    return summary, " ".join(when.split()), [" ".join(field.split()) for field in fields]


def signature(hook: str) -> inspect.Signature:
    return inspect.signature(getattr(hookspecs, hook))


def options(hook: str) -> Any:
    return getattr(hookspecs, hook).etl_framework_spec


def test_every_public_function_is_a_hook_and_named_so() -> None:
    functions = [name for name, value in vars(hookspecs).items() if inspect.isfunction(value)]
    assert functions == list(HOOKS)
    assert all(re.fullmatch(r"etl_[a-z]+", name) for name in functions)


@pytest.mark.parametrize("hook", HOOKS)
def test_it_begins_with_one_imperative_sentence(hook: str) -> None:
    summary, _, _ = sections(hook)
    assert re.fullmatch(r"[A-Z][^.\n]*\.", summary)
    assert summary.split()[0] in VERBS, "a new verb? If it is an imperative, add it to VERBS"


@pytest.mark.parametrize("hook", HOOKS)
def test_it_says_when_it_is_called_and_who_is_asked(hook: str) -> None:
    _, when, _ = sections(hook)
    assert when.startswith("Called ")
    asked = "Everyone is asked" if not options(hook)["firstresult"] else "One may answer"
    if hook in ("etl_upload", "etl_load"):
        asked = "Only the plugin that connected is asked, unless the job names another"
    assert asked in when


@pytest.mark.parametrize("hook", HOOKS)
def test_it_describes_every_argument_in_order_and_no_other(hook: str) -> None:
    _, _, fields = sections(hook)
    described = [match[1] for field in fields if (match := re.fullmatch(r":param (\w+): .+", field))]
    assert described == list(signature(hook).parameters)
    assert len(described) <= 3


@pytest.mark.parametrize("hook", HOOKS)
def test_it_tells_its_answer_unless_there_is_none(hook: str) -> None:
    _, _, fields = sections(hook)
    answers = [field for field in fields if field.startswith(":returns: ")]
    assert len(answers) == (signature(hook).return_annotation != "None")
    if options(hook)["firstresult"]:
        assert signature(hook).return_annotation.endswith(" | None")
        assert "or None when" in answers[0]


@pytest.mark.parametrize("hook", HOOKS)
def test_what_it_raises_are_errors_of_the_project(hook: str) -> None:
    _, _, fields = sections(hook)
    raised = [match[1] for field in fields if (match := re.match(r":raises (\w+): .+", field))]
    assert len(raised) == sum(field.startswith(":raises") for field in fields)
    assert all(issubclass(getattr(errors, name), errors.EtlError) for name in raised)


@pytest.mark.parametrize("hook", HOOKS)
def test_its_fields_stand_in_order_and_end_with_the_version(hook: str) -> None:
    _, _, fields = sections(hook)
    kinds = [re.match(r":(param|returns|raises)|\.\. (versionadded)::", field) for field in fields]
    order = ["param", "returns", "raises", "versionadded"]
    found = [order.index(match[1] or match[2]) for match in kinds if match]
    assert len(found) == len(fields)
    assert found == sorted(found)
    assert re.fullmatch(r"\.\. versionadded:: \d+\.\d+", fields[-1])


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_its_section_in_the_documentation(hook: str) -> None:
    page = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    assert page.count(f"## `{hook}`\n") == 1


def test_the_generated_pages_are_up_to_date() -> None:
    # In a process of its own: click remembers in a command what its help option is called where it ran first.
    generate = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(generate, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
