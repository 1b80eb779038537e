"""How the command line speaks: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from etl_framework import EtlError, ExitCode, Finding, Interrupted, Refused, Sample, Severity
from etl_framework.cli.progress import Lines
from etl_framework.cli.session import Session, facts, findings, json_option, table

HOSTILE = "a\x1b[31m\nb"
HARMLESS = r"a\x1b[31m\nb"


def show() -> None:
    click.echo("in words")


def test_an_answer_is_text_unless_json_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    Session().answer("thing", {"a": 1}, show)
    assert capsys.readouterr().out == "in words\n"
    Session(as_json=True).answer("thing", {"a": 1}, show)
    document = json.loads(capsys.readouterr().out)
    assert (document["schema_version"], document["kind"], document["a"]) == (1, "thing", 1)


def test_a_quiet_session_still_answers_what_it_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    Session(quiet=True).answer("thing", {}, show)
    assert capsys.readouterr().out == "in words\n"
    Session(quiet=True, as_json=True).answer("thing", {}, show)
    assert json.loads(capsys.readouterr().out)["kind"] == "thing"


def test_json_can_be_asked_of_a_function_and_of_a_command() -> None:
    def greet() -> None:
        click.get_current_context().ensure_object(Session).answer("greeting", {"to": "you"}, show)

    for command in (click.command("greet")(json_option(greet)), json_option(click.command("greet")(greet))):
        assert isinstance(command, click.Command)
        assert json.loads(CliRunner().invoke(command, ["--json"], obj=Session()).stdout)["to"] == "you"


def test_reporters_print_only_for_people() -> None:
    assert Session().console
    assert not Session(quiet=True).console
    assert not Session(as_json=True).console


def test_progress_is_observed_unless_the_session_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    (observer,) = Session().observers()
    assert isinstance(observer, Lines)
    assert Session(quiet=True).observers() == ()
    assert Session(log_format="json").observers() == ()


def test_an_error_says_what_failed_and_what_to_do_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    Session().fail(Refused(f"no: {HOSTILE}", advice="Mend it.\nThen load again."))
    out, err = capsys.readouterr()
    assert out == ""
    # The message's own lines are kept, each made harmless.
    assert err == "error: no: a\\x1b[31m\n  b\n  Mend it.\n  Then load again.\n"


def test_an_error_for_a_program_is_one_document_and_the_words_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    Session(as_json=True).fail(Interrupted("stopped", advice="Go on."))
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "schema_version": 1,
        "kind": "error",
        "message": "stopped",
        "advice": "Go on.",
        "exit_code": 6,
    }
    assert err == "error: stopped\n  Go on.\n"


def test_a_quiet_session_still_says_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    Session(quiet=True).complain("broken", "", ExitCode.FAILED)
    assert capsys.readouterr() == ("", "error: broken\n")


def test_the_report_of_the_run_that_failed_is_the_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    error = EtlError("failed")
    error.__dict__["report"] = {"status": "failed"}
    Session(as_json=True).fail(error)
    out, err = capsys.readouterr()
    assert json.loads(out)["kind"] == "run_report"
    assert err == "error: failed\n"
    Session().fail(error)
    assert capsys.readouterr() == ("", "error: failed\n")


def test_a_table_that_no_terminal_shows_is_not_cut_to_a_width(capsys: pytest.CaptureFixture[str]) -> None:
    table("title [/b]", ["name", "rows"], [("x" * 500, 5), (HOSTILE, "[red]7[/nothing]")], right=frozenset({"rows"}))
    out = capsys.readouterr().out
    assert "x" * 500 in out
    assert HARMLESS in out
    assert "[red]7[/nothing]" in out
    assert "title [/b]" in out
    assert "\x1b" not in out


def test_a_table_that_no_terminal_shows_is_as_wide_as_its_longest_text(capsys: pytest.CaptureFixture[str]) -> None:
    table("", ["run", "error"], [("r1", "a word " * 3_000 + "end"), ("r2", "")])
    lines = capsys.readouterr().out.splitlines()
    assert "a word " * 3_000 + "end" in lines[2]
    assert len([line for line in lines if line.strip()]) == 4


def test_no_line_of_a_table_is_filled_up_with_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    table("parts", ["name", "words"], [("a", "some"), ("b", "")])
    assert capsys.readouterr().out == "\nparts\nname   words\n────────────\na      some\nb\n\n"


def test_a_table_without_rows_shows_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    table("", ["name", "rows"], [])
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0] == ["name", "rows"]


def test_facts_stand_in_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    facts([("a", 1), ("longer", HOSTILE)])
    assert capsys.readouterr().out == f"a       1\nlonger  {HARMLESS}\n"
    facts([])
    assert capsys.readouterr().out == ""


def test_findings_are_shown_with_their_first_places(capsys: pytest.CaptureFixture[str]) -> None:
    sample = Sample(file="a.csv", line=7, column="n", value=HOSTILE, reason="no number")
    samples = (sample, Sample(file="b.csv", reason="whole"), *([sample] * 9))
    findings([Finding(rule="type", severity=Severity.ERROR, count=11, message="11", advice="Mend.", samples=samples)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "error   type: 11"
    assert lines[1].strip().startswith("a.csv:7 'n' = ")
    assert "\x1b" not in lines[1]
    assert lines[2].strip() == "b.csv: whole"
    assert len(lines) == 1 + 5 + 1
    assert lines[-1].strip() == "Mend."


def test_the_json_option_is_remembered_by_the_session() -> None:
    @click.command()
    @json_option
    @click.pass_obj
    def command(session: Session) -> bool:
        return session.as_json

    assert command.main([], standalone_mode=False, obj=Session()) is False
    assert command.main(["--json"], standalone_mode=False, obj=Session()) is True


def test_a_session_opens_the_workspace_that_its_options_name(tmp_path: Path) -> None:
    config = tmp_path / "etl.toml"
    config.write_text("")
    session = Session(config=str(config), state_dir=str(tmp_path / "state"), disabled=("reports",))
    workspace = session.workspace()
    assert workspace.config.path == config
    assert workspace.state.folder == tmp_path / "state"
    assert workspace.settings.disabled == ("reports",)


def test_a_table_without_a_title_begins_with_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    table("", ["run", "job"], [("1", "sales")])
    assert capsys.readouterr().out.splitlines()[0].split() == ["run", "job"]


def test_a_finding_names_the_rules_that_it_speaks_for(capsys: pytest.CaptureFixture[str]) -> None:
    findings([Finding(rule="r", severity=Severity.ERROR, count=1, message="m", also=("s", HOSTILE))])
    assert f"The same was found by s, {HARMLESS}." in capsys.readouterr().out


def test_what_is_printed_beside_a_document_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(as_json=True)
    with session.alone():
        print("before")
        session.answer("thing", {}, show)
        print("after")
    out, err = capsys.readouterr()
    assert json.loads(out)["kind"] == "thing"
    assert err == "before\nafter\n"


def test_an_error_after_a_document_is_told_instead_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(as_json=True)

    def too_late() -> None:
        with session.alone():
            session.answer("thing", {}, show)
            raise EtlError("too late")

    with pytest.raises(EtlError) as caught:
        too_late()
    session.fail(caught.value)
    assert json.loads(capsys.readouterr().out)["message"] == "too late"
