# SPDX-License-Identifier: MIT
"""`rpsd denoise` writes whole files or none: full disks, limits, signals, links, devices."""

import errno
import os
import signal
import stat
import subprocess
import sys

import pytest
from command import goog, own_home, run_command

import rpsd
from rpsd.cli import main

__all__ = ["goog", "own_home"]  # fixtures; the second guards every test here


def fail_with(number):
    def fsync(descriptor):
        raise OSError(number, os.strerror(number))

    return fsync


@pytest.mark.parametrize("output", ["out.csv", "goog.csv"])
def test_a_full_disk_leaves_everything_as_it_was(goog, tmp_path, monkeypatch, capsys, output):
    (tmp_path / "out.csv").write_text("old")
    before = {p: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    monkeypatch.setattr("os.fsync", fail_with(errno.ENOSPC))
    assert main(["denoise", "goog.csv", "-o", output, "--plot", "p.png"]) == 1
    assert capsys.readouterr().err == f"rpsd: error: cannot write p.png: {os.strerror(errno.ENOSPC)}\n"
    assert {p: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before


def test_a_failure_of_the_second_file_removes_the_first(goog, tmp_path, monkeypatch, capsys):
    from rpsd.batch.files import Outputs

    add = Outputs.add
    seen = []

    def second_fails(self, path, pieces):
        if path == "out.csv":
            seen.extend(p.name for p in tmp_path.glob("p.png.*.tmp"))
            raise rpsd.RpsdError("no room")
        add(self, path, pieces)

    monkeypatch.setattr(Outputs, "add", second_fails)
    assert main(["denoise", "goog.csv", "-o", "out.csv", "--plot", "p.png"]) == 1
    assert len(seen) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["goog.csv", "home"]


@pytest.mark.parametrize("option", ["-o", "--plot"])
@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("dir.png", "cannot write dir.png: it is a directory; name a file"),
        ("no/out.png", "cannot write no/out.png: there is no directory"),
        ("goog.csv/out.png", "cannot write goog.csv/out.png: there is no directory"),
    ],
)
def test_impossible_outputs_are_refused_before_reading(goog, tmp_path, option, output, message, capsys):
    (tmp_path / "dir.png").mkdir()
    assert main(["denoise", "none.csv", option, output]) == 1
    assert message in capsys.readouterr().err


def test_a_directory_in_which_nothing_may_be_written(goog, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert main(["denoise", "goog.csv", "-o", "out.csv"]) == 1
    assert (
        capsys.readouterr().err
        == f"rpsd: error: cannot write out.csv: no permission to write in {tmp_path}\n"
    )


if os.name == "posix":

    def test_a_link_stays_and_so_does_the_mode(goog, tmp_path):
        goog.chmod(0o640)
        (tmp_path / "link.csv").symlink_to(goog)
        before = goog.read_bytes()
        assert main(["denoise", "goog.csv", "-o", "link.csv"]) == 0
        assert (tmp_path / "link.csv").is_symlink()
        assert goog.read_bytes() != before
        assert stat.S_IMODE(goog.stat().st_mode) == 0o640

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_an_interruption_leaves_nothing(goog, tmp_path, monkeypatch, number, code):
        monkeypatch.setattr("os.fsync", lambda descriptor: os.kill(os.getpid(), number))
        arguments = ["denoise", "goog.csv", "-o", "out.csv"]
        if number == signal.SIGTERM:
            with pytest.raises(SystemExit) as caught:
                main(arguments)
            assert caught.value.code == code
        else:
            assert main(arguments) == code
        assert sorted(p.name for p in tmp_path.iterdir()) == ["goog.csv", "home"]

    def test_a_limit_on_file_size_leaves_nothing(goog, tmp_path):
        import resource

        # 64 KiB: the input is larger.
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))  # noqa: E731
        done = run_command("denoise", "goog.csv", "-o", "out.csv", preexec_fn=limit)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"rpsd: error: cannot write out.csv: {os.strerror(errno.EFBIG)}\n"
        assert sorted(p.name for p in tmp_path.iterdir()) == ["goog.csv", "home"]

    def test_a_reader_that_leaves_is_no_news(goog):
        goog.write_bytes(goog.read_bytes() + b"2025-08-29 13:30:00+00:00,205\n" * 20_000)
        producer = subprocess.Popen(
            [sys.executable, "-m", "rpsd.cli", "denoise", "goog.csv", "--log-level", "ERROR"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert producer.stdout.readline() == b"timestamp,price\n"
        producer.stdout.close()
        assert producer.stderr.read() == b""
        producer.stderr.close()
        assert producer.wait() == 1

    @pytest.mark.parametrize(
        "arguments", [["config", "show"], ["evaluate", "goog.csv", "goog.csv", "--json"]]
    )
    def test_a_reader_that_never_was_is_no_news(goog, arguments):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "rpsd.cli", *arguments], stdout=writer, stderr=subprocess.PIPE, check=False
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (1, b"")

    def test_a_device_is_written_in_place(goog):
        assert main(["denoise", "goog.csv", "-o", os.devnull]) == 0
        assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


if sys.platform == "linux":

    @pytest.mark.parametrize("arguments", [["-o", "/dev/full"], []])
    def test_a_full_device(goog, arguments):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "rpsd.cli", "denoise", "goog.csv", *arguments],
                stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
        assert done.returncode == 1
        what = "cannot write /dev/full" if arguments else "standard output"
        assert done.stderr == f"rpsd: error: {what}: {os.strerror(errno.ENOSPC)}\n"
