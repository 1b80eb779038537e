"""Loads over external stages: the real driver, the emulator, and a server that speaks S3."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from etl_snowflake.emulator.control import EmulatorControl, running_emulator
from etl_snowflake.external import Storage
from etl_snowflake.stage import Stage

from etl_framework import ExitCode, RunFailed, Status, UsageError, Workspace, load, resume
from etl_framework.cli import run as etl

boto3 = pytest.importorskip("boto3")
server = pytest.importorskip("moto.server")
s3fs = pytest.importorskip("s3fs")

SECRET = "never/shown+anywhere"
BUCKET, PREFIX = "landing", "in/etl/"
CREATE = f"CREATE STAGE S3 URL = 's3://{BUCKET}/{PREFIX}' CREDENTIALS = (AWS_KEY_ID = 'A1' AWS_SECRET_KEY = '{SECRET}')"


@pytest.fixture(scope="module")
def storage() -> Iterator[Any]:
    """A client of a server that speaks S3, which everything in this process and its children is led to."""
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "tester")
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield boto3.client("s3")
        s3fs.S3FileSystem.clear_instance_cache()
    running.stop()


@pytest.fixture(scope="module")
def emulator_process(storage: Any) -> Iterator[EmulatorControl]:
    """An emulator that reads from that server."""
    with running_emulator() as control:
        yield control


@pytest.fixture
def bucket(storage: Any) -> Iterator[Any]:
    """Its client, and an empty bucket that remembers every object that was ever written to it."""
    storage.create_bucket(Bucket=BUCKET)
    storage.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    yield storage
    told = storage.list_object_versions(Bucket=BUCKET)
    for version in [*told.get("Versions", ()), *told.get("DeleteMarkers", ())]:
        storage.delete_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])
    storage.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def cursor(connect: Callable[..., Any]) -> Any:
    """A cursor of an account that has the stage."""
    opened = connect().cursor()
    opened.execute(CREATE)
    return opened


@pytest.fixture
def staged_target(target: str, bucket: Any, cursor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A target whose stage is an external one, and a file to load."""
    monkeypatch.chdir(tmp_path)
    Path("sales.csv").write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(5000)))
    return f"{target}?stage=@DB.PUBLIC.S3"


def keys(bucket: Any) -> list[str]:
    return [found["Key"] for found in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def writes(bucket: Any) -> list[str]:
    return sorted(version["Key"] for version in bucket.list_object_versions(Bucket=BUCKET).get("Versions", ()))


def load_in_parts(target: str, **more: Any) -> Any:
    return load("sales.csv", target=target, part_size="16KiB", block_size="8KiB", **more)


@pytest.fixture
def failed(staged_target: str, emulator: EmulatorControl) -> str:
    """A target into which a run failed after it had staged its parts."""
    emulator.faults({"endpoint": "query", "sql": "COPY INTO", "action": "fail", "errno": 630})
    with pytest.raises(RunFailed):
        load_in_parts(staged_target)
    emulator.faults()
    return staged_target


def test_a_load_goes_through_the_bucket_and_leaves_nothing_in_it(
    staged_target: str, bucket: Any, cursor: Any, emulator: EmulatorControl
) -> None:
    report = load_in_parts(staged_target)
    assert (report.status, report.rows_loaded, report.differences) == (Status.DONE, 5000, ())
    assert cursor.execute("SELECT COUNT(*), SUM(ID) FROM SALES").fetchall() == [(5000, sum(range(5000)))]
    written = writes(bucket)
    assert len(written) == report.parts > 2
    assert {key.rpartition("/")[0] for key in written} == {f"{PREFIX}{report.run}"}
    assert keys(bucket) == []
    statements = emulator.statements()
    assert sum(sql.startswith("DESCRIBE STAGE") for sql in statements) == 1
    assert not any(sql.startswith("PUT") for sql in statements)


def test_a_folder_below_the_stage_is_kept_to(staged_target: str, bucket: Any) -> None:
    report = load_in_parts(f"{staged_target}/team/a")
    assert report.status is Status.DONE
    assert {key.rpartition("/")[0] for key in writes(bucket)} == {f"{PREFIX}team/a/{report.run}"}


def test_a_part_that_cannot_be_looked_at_is_tried_again_but_not_brought_twice(
    staged_target: str, bucket: Any, emulator: EmulatorControl
) -> None:
    emulator.faults({"endpoint": "query", "sql": "^LIST", "action": "fail", "errno": 91003, "count": 2})
    report = load_in_parts(staged_target)
    assert report.status is Status.DONE
    assert len(writes(bucket)) == report.parts


def test_a_part_that_snowflake_does_not_see_whole_is_not_believed(
    staged_target: str, cursor: Any, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl_snowflake.stage._ATTEMPTS", 2)
    cursor.execute(CREATE.replace("CREATE", "CREATE OR REPLACE").replace(PREFIX, "in/elsewhere/"))
    # Somebody alters the stage after the run has looked where it lies.
    monkeypatch.setattr("etl_snowflake.external.url_of", lambda session, name: f"s3://{BUCKET}/{PREFIX}")
    with pytest.raises(RunFailed, match="it was brought, but LIST shows nothing") as raised:
        load_in_parts(staged_target)
    assert "ends with a slash" in raised.value.advice


def test_a_part_that_is_deleted_behind_its_back_is_missed(staged_target: str, bucket: Any, cursor: Any) -> None:
    write_plugin(
        "import boto3, etl_snowflake",
        "def etl_load(parts, warehouse, run):",
        f"    boto3.client('s3').delete_object(Bucket='{BUCKET}', Key=f'{PREFIX}{{run.id}}/{{parts[1].name}}')",
        "    return etl_snowflake.etl_load(parts, warehouse, run)",
    )
    with pytest.raises(RunFailed, match="is gone"):
        workspace_load(staged_target, load="own")
    assert cursor.execute("SHOW TABLES LIKE 'SALES'").fetchall() == []


def test_a_resumed_run_uploads_nothing_again(failed: str, bucket: Any) -> None:
    before = writes(bucket)
    assert keys(bucket) == before != []
    assert resume().rows_loaded == 5000
    assert writes(bucket) == before


def test_a_resumed_run_uploads_again_what_is_gone(failed: str, bucket: Any) -> None:
    before = writes(bucket)
    bucket.delete_object(Bucket=BUCKET, Key=before[0])
    assert resume().rows_loaded == 5000
    assert writes(bucket) == sorted([*before, before[0]])
    assert keys(bucket) == []


def test_a_resumed_run_replaces_what_is_not_whole(failed: str, bucket: Any) -> None:
    bucket.put_object(Bucket=BUCKET, Key=keys(bucket)[0], Body=b"half")
    assert resume().rows_loaded == 5000


def test_where_snowflake_may_only_read_the_parts_are_removed_all_the_same(
    staged_target: str, bucket: Any, emulator: EmulatorControl
) -> None:
    emulator.faults({"endpoint": "query", "sql": "^REMOVE", "action": "fail", "errno": 91003})
    bucket.put_object(Bucket=BUCKET, Key=f"{PREFIX}theirs", Body=b"x")
    assert load_in_parts(staged_target).status is Status.DONE
    assert keys(bucket) == [f"{PREFIX}theirs"]


def test_what_a_run_left_in_the_bucket_is_listed_and_removed(failed: str, bucket: Any) -> None:
    bucket.put_object(Bucket=BUCKET, Key=f"{PREFIX}theirs/part", Body=b"x")
    [record] = Workspace.open().to_resume()
    workspace = Workspace.open()
    [staging] = workspace.staged(failed)
    assert [(run.leftover.run, run.leftover.files) for run in staging.runs if run.leftover.files] == [
        (record.run, len(keys(bucket)) - 1)
    ]
    arguments = ["stage", "clean", "--target", failed, "--older-than", "0d", "--resumable", "--yes"]
    assert etl(arguments) == ExitCode.DONE
    assert keys(bucket) == [f"{PREFIX}theirs/part"]


def test_testing_the_target_proves_that_files_get_there(staged_target: str, bucket: Any) -> None:
    assert etl(["targets", "test", staged_target]) == ExitCode.DONE
    assert [key.rpartition("/")[2] for key in writes(bucket)] == ["reachability"]
    assert keys(bucket) == []


def test_the_rights_that_the_page_tells_of_are_enough(staged_target: str, bucket: Any, cursor: Any) -> None:
    page = Path(__file__).parents[3] / "docs" / "snowflake.md"
    for script in re.findall(r"^```sql\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for statement in filter(str.strip, script.split(";")):
            cursor.execute(statement)
    target = f"{staged_target.replace('.S3', '.LANDING')}&role=LOADER"
    assert etl(["targets", "test", target]) == ExitCode.DONE
    assert load_in_parts(target).status is Status.DONE
    assert len(writes(bucket)) > 2


def test_a_stage_that_is_not_there_is_told(staged_target: str) -> None:
    with pytest.raises(UsageError, match=r"there is no stage DB\.PUBLIC\.NOWHERE, or the role may not see it"):
        load_in_parts(staged_target.replace(".S3", ".NOWHERE"))


@pytest.mark.parametrize("name", ["@a b", "@S3'", "@S3;DROP"])
def test_what_names_no_stage_is_refused(staged_target: str, name: str) -> None:
    with pytest.raises(UsageError, match="names no stage"):
        load_in_parts(staged_target.replace("@DB.PUBLIC.S3", name.replace(";", "%3B")))


def test_a_bucket_that_is_not_there_is_told_at_once(staged_target: str, cursor: Any) -> None:
    cursor.execute("CREATE STAGE LOST URL = 's3://nowhere/' STORAGE_INTEGRATION = S3_INT")
    with pytest.raises(RunFailed, match="s3://nowhere/"):
        load_in_parts(staged_target.replace(".S3", ".LOST"))


def test_a_missing_package_is_named(staged_target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    # fsspec remembers what it imported before.
    monkeypatch.delitem(import_module("fsspec.registry")._registry, "s3", raising=False)
    with pytest.raises(UsageError, match=r"package s3fs is not installed") as raised:
        load_in_parts(staged_target)
    assert raised.value.advice.startswith("Install it: pip install 'etl-snowflake[s3]'.")


def test_another_plugin_brings_the_parts_when_it_is_named(staged_target: str, bucket: Any, cursor: Any) -> None:
    write_plugin(
        "import boto3",
        "from etl_framework import StagedPart",
        "def etl_upload(part, warehouse, run):",
        "    bucket, _, folder = warehouse.staging_url(run).removeprefix('s3://').partition('/')",
        "    boto3.client('s3').put_object(",
        "        Bucket=bucket, Key=folder + part.name, Body=part.path.read_bytes(), Metadata={'by': 'own'}",
        "    )",
        "    return StagedPart(part=part.part, piece=part.piece, name=part.name, size=part.size, digest=part.digest,",
        "        rows=part.rows)",
    )
    assert workspace_load(staged_target, upload="own") == 5000
    versions = bucket.list_object_versions(Bucket=BUCKET)["Versions"]
    heads = [bucket.head_object(Bucket=BUCKET, Key=v["Key"], VersionId=v["VersionId"]) for v in versions]
    assert {head["Metadata"].get("by") for head in heads} == {"own"}
    assert keys(bucket) == []


def test_no_output_shows_the_credentials(
    failed: str, cursor: Any, emulator: EmulatorControl, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    codes = {
        "targets test": talkative("targets", "test", failed),
        "stage list": talkative("stage", "list", "--target", failed),
        "resume": talkative("resume"),
        "load": talkative("load", "sales.csv", "--target", failed, "--again"),
    }
    assert codes == dict.fromkeys(codes, ExitCode.DONE)
    # The server may quote a statement with the credentials.
    emulator.faults({"endpoint": "query", "sql": "COPY INTO", "action": "fail", "message": CREATE})
    assert talkative("load", "sales.csv", "--target", failed, "--again") == ExitCode.FAILED
    assert talkative("runs", "show", "--log") == ExitCode.DONE
    printed = capfd.readouterr()
    assert all(words in printed.err for words in ("run_finished", "Traceback", "AWS_SECRET_KEY = ***"))
    shown = [printed.out, printed.err]
    shown += [str(row) for row in cursor.execute("DESC STAGE S3").fetchall()]
    shown += [str(row) for row in cursor.execute("SHOW STAGES").fetchall()]
    query = "SELECT QUERY_TEXT FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY(RESULT_LIMIT => 1000))"
    shown += [str(row) for row in cursor.execute(query).fetchall()]
    assert any("CREDENTIALS = (***)" in text for text in shown)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for secret in (SECRET, quote(SECRET, safe="")):
        assert not any(secret in text for text in [*shown, *emulator.statements()])
        assert not any(secret.encode() in content for content in written)


def test_the_emulator_tells_of_an_external_stage_as_snowflake_does(
    bucket: Any, cursor: Any, raises_snowflake: Any, tmp_path: Path
) -> None:
    bucket.put_object(Bucket=BUCKET, Key=f"{PREFIX}a/x.csv", Body=b"1\n2\n")
    bucket.put_object(Bucket=BUCKET, Key="in/other", Body=b"3\n")
    cursor.execute("CREATE STAGE INSIDE")
    shown = {row[1]: row for row in cursor.execute("SHOW STAGES").fetchall()}
    columns = [column[0] for column in cursor.description]
    of = {name: dict(zip(columns, row, strict=True)) for name, row in shown.items()}
    assert (of["S3"]["type"], of["S3"]["url"]) == ("EXTERNAL", f"s3://{BUCKET}/{PREFIX}")
    assert (of["S3"]["has_credentials"], of["S3"]["cloud"], of["INSIDE"]["url"]) == ("Y", "AWS", "")
    locations = {}
    for name in ("S3", "INSIDE"):
        rows = cursor.execute(f"DESCRIBE STAGE {name}").fetchall()
        locations[name] = [row[3] for row in rows if row[:2] == ("STAGE_LOCATION", "URL")]
    assert locations == {"S3": [json.dumps([f"s3://{BUCKET}/{PREFIX}"])], "INSIDE": [""]}
    [(name, size, md5, _)] = cursor.execute("LIST @S3/a").fetchall()
    assert (name, size) == (f"s3://{BUCKET}/{PREFIX}a/x.csv", 4)
    assert md5 == bucket.head_object(Bucket=BUCKET, Key=f"{PREFIX}a/x.csv")["ETag"].strip('"')
    Path(tmp_path, "f").write_text("1\n")
    with raises_snowflake(91003) as caught:
        cursor.execute(f"PUT 'file://{tmp_path}/f' @S3")
    assert "GET and PUT commands are not supported with external stage" in str(caught.value)
    cursor.execute("CREATE TABLE T (N INT)")
    [loaded] = cursor.execute("COPY INTO T FROM @S3/a/").fetchall()
    assert loaded[:3] == (f"s3://{BUCKET}/{PREFIX}a/x.csv", "LOADED", 2)
    assert len(cursor.execute("REMOVE @S3/a/").fetchall()) == 1
    cursor.execute("DROP STAGE S3")
    assert keys(bucket) == ["in/other"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://b/p/x", Storage("s3", "b/p/x")),
        ("s3gov://b/x", Storage("s3", "b/x")),
        ("s3china://b/x", Storage("s3", "b/x")),
        ("gcs://b/x", Storage("gcs", "b/x")),
        ("azure://acc.blob.core.windows.net/c/p/x", Storage("abfs", "c/p/x", {"account_name": "acc"})),
        (
            "azure://acc.blob.core.usgovcloudapi.net/c/x",
            Storage("abfs", "c/x", {"account_name": "acc", "account_host": "acc.blob.core.usgovcloudapi.net"}),
        ),
    ],
)
def test_each_scheme_of_snowflake_leads_to_a_file_system(url: str, expected: Storage) -> None:
    assert Storage.of(url) == expected


def test_an_unknown_scheme_is_refused_with_a_way_out() -> None:
    with pytest.raises(UsageError, match="files cannot be brought to ftp://x/") as raised:
        Storage.of("ftp://x/")
    assert "etl_upload" in raised.value.advice


@pytest.mark.parametrize("name", ["../other/x", "a/b", "..", "", "a\\b"])
def test_a_name_that_leads_out_of_the_run_s_folder_is_refused(name: str) -> None:
    stage = Stage("@S3", made=False, url="s3://b/p/")
    with pytest.raises(RunFailed, match="no name of a folder or file"):
        stage.file("run", name)
    with pytest.raises(RunFailed, match="no name of a folder or file"):
        stage.folder_url(name)


def test_the_command_line_starts_without_any_file_system() -> None:
    program = "import sys, etl_framework.cli as c; c.run(['--help']); print('fsspec' in sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "False"


def talkative(*words: str) -> int:
    """Run a command that tells all that it ever would."""
    return etl(["--log-level", "debug", "--debug", *words])


def write_plugin(*lines: str) -> None:
    code = "\n".join(("from etl_framework import hookimpl", *lines)).replace("\ndef etl_", "\n@hookimpl\ndef etl_")
    Path("own.py").write_text(code + "\n")


def workspace_load(target: str, **use: str) -> int:
    Path("etl.toml").write_text(
        f'plugins = "own.py"\n[jobs.sales]\nsource = "sales.csv"\ntable = "SALES"\ntarget = "{target}"\n'
        f'part_size = "16KiB"\nblock_size = "8KiB"\nuse = {{ {", ".join(f"{k} = {v!r}" for k, v in use.items())} }}\n'
    )
    workspace = Workspace.open()
    return workspace.load(workspace.job("sales", (), {})).rows_loaded
