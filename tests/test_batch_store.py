# SPDX-License-Identifier: MIT
"""`rpsd batch` from and to an object store: a server of moto's that speaks S3, on this machine."""

import os
import signal
import subprocess
import sys
import time
import uuid

import pyarrow.parquet as pq
import pytest
from batches import in_process, own_cache  # noqa: F401 - fixtures
from command import QUIET, own_home  # noqa: F401 - a fixture
from engines import contents, make_days

from rpsd import ConfigError, InputError
from rpsd.batch import plan, run_unit
from rpsd.batch._store import Mirror, Stage, is_url, join, list_objects, opened, put, remove, remove_stages
from rpsd.cli import main

# The server and the client take releases of one library, which pip is long to match: .ci/run --full has both.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server():
    """Start it; its address."""
    import moto.server

    running = moto.server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server, monkeypatch):
    """Make a bucket; its URL."""
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    name = f"rpsd-{uuid.uuid4().hex[:12]}"
    import s3fs

    s3fs.S3FileSystem(use_listings_cache=False).mkdir(name)
    return f"s3://{name}"


@pytest.fixture
def inputs(tmp_path, bucket):
    """Write five files; the same as objects; the URL of their folder."""
    make_days(tmp_path / "in", 5)
    for path in (tmp_path / "in").iterdir():
        put(path, f"{bucket}/in/{path.name}")
    return f"{bucket}/in"


def objects(url):
    """Return the bytes of each object below a URL by its name, but for where its run said the inputs are."""
    found = {}
    for name, place, _ in list_objects(url):
        if not name.endswith("run.json"):
            with opened(place) as file:
                found[name] = file.read()
    return found


@pytest.mark.usefixtures("in_process")
def test_outputs_are_those_of_a_local_run(tmp_path, bucket, inputs):
    assert main(["batch", "in", "-o", "out", *QUIET]) == 0
    expected = contents(tmp_path / "out")
    assert main(["batch", inputs, "-o", f"{bucket}/out/", "--cache-size", "0", *QUIET]) == 0
    assert objects(f"{bucket}/out") == expected
    assert main(["batch", "in", "-o", f"{bucket}/up", *QUIET]) == 0
    assert objects(f"{bucket}/up") == expected
    assert main(["batch", inputs, "-o", "down", *QUIET]) == 0
    assert contents(tmp_path / "down") == expected


@pytest.mark.usefixtures("in_process")
def test_resume_does_what_is_not_done(tmp_path, bucket, inputs, capsys):
    assert main(["batch", inputs, "-o", f"{bucket}/whole", *QUIET]) == 0
    out = f"{bucket}/out"
    for k in (1, 2):
        assert main(["batch", inputs, "-o", out, "--shard", f"{k}/3", *QUIET]) == 0
    names = [name for name, _, _ in list_objects(out)]
    assert any(name.startswith("_rpsd/journal-1-of-3.jsonl/00000001-") for name in names)
    assert "_rpsd/manifest.parquet" not in names
    with open(tmp_path / "in" / "day001.csv", "ab") as file:
        file.write(b"101.5\n")
    put(tmp_path / "in" / "day001.csv", f"{inputs}/day001.csv")
    put(tmp_path / "in" / "day001.csv", f"{bucket}/out/day003.csv")
    capsys.readouterr()
    assert main(["batch", inputs, "-o", out, "--resume", "--cache-size", "0"]) == 0
    # Of the four that were done one has another input, and one an output that is not its own.
    assert "5 file(s) (2 there already)" in capsys.readouterr().err
    whole, resumed = objects(f"{bucket}/whole"), objects(out)
    assert whole.keys() == resumed.keys()
    changed = {name for name in whole if whole[name] != resumed[name]}
    assert changed == {"day001.csv", "_rpsd/receipts/day001.csv.json", "_rpsd/manifest.parquet"}
    assert not [name for name, _, _ in list_objects(out) if "journal" in name or name.endswith(".tmp")]
    assert main(["batch", inputs, "-o", out, "--resume"]) == 0
    assert "5 file(s) (5 there already)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_batch_goes_on(tmp_path, bucket):
    make_days(tmp_path / "in", 40, rows=60_000)
    arguments = ["batch", "in", "-o", f"{bucket}/out", "--workers", "2", "--cache-size", "0"]
    arguments += ["--transform", "modwt"]
    run = subprocess.Popen([sys.executable, "-m", "rpsd.cli", *arguments], start_new_session=True)
    while not any("journal" in name for name, _, _ in list_objects(f"{bucket}/out")):
        time.sleep(0.05)
        assert run.poll() is None
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert "_rpsd/manifest.parquet" not in objects(f"{bucket}/out")
    assert main([*arguments, "--resume", *QUIET]) == 0
    assert main(["batch", "in", "-o", "out", "--transform", "modwt", *QUIET]) == 0
    assert objects(f"{bucket}/out") == contents(tmp_path / "out")


def test_failures_are_told_and_leave_no_output(tmp_path, bucket, capsys):
    make_days(tmp_path / "in", 1)
    (tmp_path / "bad.csv").write_text("price\nno\nnumber\n")
    url = f"{bucket}/out"
    put(tmp_path / "in" / "day000.csv", f"{url}/bad.csv")
    assert main(["batch", "bad.csv", "-o", url, *QUIET]) == 1
    assert "bad.csv" in capsys.readouterr().err
    assert [name for name, _, _ in list_objects(url)] == ["_rpsd/manifest.parquet", "_rpsd/run.json"]


def test_a_unit_needs_no_batch(tmp_path, bucket, inputs):
    units = plan([inputs], f"{bucket}/units")
    assert [unit["name"] for unit in units] == [f"day{day:03}.csv" for day in range(5)]
    before = set(os.listdir(tmp_path))
    record = run_unit(units[3])
    assert record["series"][0]["action"] != "failed"
    assert [name for name, _, _ in list_objects(f"{bucket}/units")] == [
        "_rpsd/receipts/day003.csv.json",
        "day003.csv",
    ]
    again = run_unit({**units[3], "done": record})
    assert again["how"] == "kept"
    assert set(os.listdir(tmp_path)) - before <= {"cache", "home"}


def test_hidden_and_other_objects_are_left_out(tmp_path, bucket, inputs):
    for name in ("_SUCCESS", "readme.txt", ".hidden.csv", "_rpsd/old.csv", "deep/more.csv"):
        put(tmp_path / "in" / "day000.csv", f"{inputs}/{name}")
    names = [unit["name"] for unit in plan([inputs, f"{bucket}/in/day000.csv"], f"{bucket}/out")]
    assert names == [*(f"day{day:03}.csv" for day in range(5)), "deep/more.csv"]


@pytest.mark.parametrize(
    ("given", "output", "error", "told"),
    [
        ("s3://no-such-bucket-of-rpsd/in", "out", InputError, "no-such-bucket-of-rpsd"),
        ("{}/empty", "out", InputError, "no input"),
        ("{}/in", "{}/in/out", ConfigError, "must not be in the input"),
        ("{}/in/day000.csv", "{}/in", ConfigError, "would replace an input"),
        ("file:///tmp", "out", ConfigError, "give the path itself"),
        ("nowhere://in", "out", ConfigError, "nowhere"),
    ],
)
def test_places_that_cannot_be(inputs, bucket, given, output, error, told):
    assert inputs
    with pytest.raises(error, match=told):
        plan([given.format(bucket)], output.format(bucket))


def test_an_output_that_cannot_be_written_is_told_first(tmp_path, bucket, capsys):
    assert bucket
    make_days(tmp_path / "in", 1)
    assert main(["batch", "in", "-o", "s3://no-such-bucket-of-rpsd/out", *QUIET]) == 1
    assert "s3://no-such-bucket-of-rpsd/out" in capsys.readouterr().err


def test_without_fsspec_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(Exception, match=r"rpsd\[remote\]"):
        plan(["s3://bucket/in"], "out")


def test_local_paths_load_no_fsspec(tmp_path):
    make_days(tmp_path / "in", 1)
    code = (
        "import sys; from rpsd.cli import main; code = main(['batch', 'in', '-o', 'out', *sys.argv[1:]]);"
        "sys.exit(code or 10 * bool({'fsspec', 's3fs', 'ray'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code, *QUIET], check=False).returncode == 0


def test_what_is_a_url():
    assert is_url("s3://bucket/prefix")
    assert is_url("gs://bucket")
    assert not is_url("C:\\data")
    assert not is_url("c://data")
    assert not is_url("data/s3:/x")
    assert join("s3://bucket/out/", "deep/a.csv") == "s3://bucket/out/deep/a.csv"
    assert join("out", "deep/a.csv") == os.path.join("out", "deep", "a.csv")


def test_a_stage_leaves_nothing_behind(tmp_path, bucket, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    (tmp_path / "a.csv").write_text("x")
    put(tmp_path / "a.csv", f"{bucket}/a.csv")
    with Stage(f"{bucket}/a.csv", f"{bucket}/out", "deep/a.csv") as stage:
        with open(stage.source) as file:
            assert file.read() == "x"
        assert os.path.basename(stage.source) == "a.csv"
        os.makedirs(os.path.join(stage.output, "deep"))
        with open(os.path.join(stage.output, "deep", "a.csv"), "w") as file:
            file.write("y")
        stage.put()
    with pytest.raises(InputError, match="cannot read"), Stage(f"{bucket}/none.csv", "out", "none.csv"):
        pass
    assert objects(f"{bucket}/out") == {"deep/a.csv": b"y"}
    assert not os.listdir(tmp_path / "scratch")
    remove(f"{bucket}/a.csv")
    remove(f"{bucket}/a.csv")
    assert list_objects(f"{bucket}/a.csv") == []


def test_a_journal_grows_by_objects(bucket):
    out = f"{bucket}/out"
    for resume, lines, expected in [(False, b"1\n", b"1\n"), (True, b"2\n", b"1\n2\n"), (False, b"", b"")]:
        with Mirror(out, "_rpsd", "journal.jsonl", resume=resume, whole=True) as books:
            path = os.path.join(books.root, "_rpsd", "journal.jsonl")
            with open(path, "ab") as file:
                file.write(lines)
            with open(path, "rb") as file:
                assert file.read() == expected
        parts = objects(out)
        assert b"".join(parts[name] for name in sorted(parts)) == expected
    assert not os.path.exists(books.root)


@pytest.mark.usefixtures("in_process")
def test_a_copy_of_the_manifest(bucket, inputs, capsys):
    copy = f"{bucket}/lists/m.parquet"
    assert main(["batch", inputs, "-o", f"{bucket}/out", "--manifest", copy]) == 0
    assert f"manifest {copy}" in capsys.readouterr().err
    with opened(copy) as file:
        assert pq.read_table(file).num_rows == 5
    assert objects(f"{bucket}/lists")["m.parquet"] == objects(f"{bucket}/out")["_rpsd/manifest.parquet"]


@pytest.mark.usefixtures("in_process")
def test_verify_fetches_the_inputs(tmp_path, bucket, inputs, capsys):
    assert main(["batch", inputs, "-o", "out", *QUIET]) == 0
    assert main(["verify", "out"]) == 0
    assert "5 file(s): 5 same" in capsys.readouterr().err
    put(tmp_path / "in" / "day000.csv", f"{inputs}/day001.csv")
    assert main(["verify", "out"]) == 1
    assert "day001.csv: its input has changed since" in capsys.readouterr().out
    for command in (["verify", f"{bucket}/out"], ["diff", "out", f"{bucket}/out"]):
        assert main(command) == 2
        assert "is in an object store; fetch it to a folder of this machine first" in capsys.readouterr().err


def test_what_a_killed_process_had_fetched_is_removed(tmp_path, bucket, inputs, monkeypatch):
    assert inputs
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    for name in ("day000.csv", "day001.csv"):
        Stage(f"{bucket}/in/{name}", "out", name).__enter__()
    remove_stages("out", ["day001.csv", "day002.csv"])
    (left,) = (tmp_path / "scratch").iterdir()
    assert [path.name for path in left.iterdir()] == ["day000.csv"]
