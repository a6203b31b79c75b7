# SPDX-License-Identifier: MIT
"""`rpsd stream` over many processes: answers at once, signals, broken pipes, kills; nothing lost or twice."""

import errno
import os
import re
import select
import signal
import subprocess
import sys
import time
import zlib

import msgspec
import numpy as np
import pytest
from command import denoised, own_home, plain, prices, stream

import rpsd

__all__ = ["own_home", "stream"]  # fixtures; the first guards every test here


class Live:
    """The real command between two pipes that stay open."""

    def __init__(self, *arguments, **more):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rpsd.cli", "stream", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, **more,
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
        self.process.wait()

    def ask(self, text):
        self.process.stdin.write(text.encode())
        return self.answer()

    def answer(self):
        """Return what is there; a bound on the wait turns a hang into a failure."""
        assert select.select([self.process.stdout], [], [], 120)[0], "no answer"
        return self.process.stdout.read(1 << 16).decode()

    def end(self, number=None):
        """Signal, or end the input; return exit code, what else was printed, and the messages."""
        if number is not None:
            self.process.send_signal(number)
        else:
            self.process.stdin.close()
        out, err = self.process.stdout.read(), self.process.stderr.read()
        return self.process.wait(), out.decode(), err.decode()


def lines(x):
    return [f"{v!r}\n" for v in x.tolist()]


def numbers(text):
    return [float(line) for line in text.split()]


def told(text):
    return tuple(map(int, re.search(r"(\d+) line\(s\) read, (\d+) printed", text).groups()))


def test_state_is_used_again_whatever_the_pieces(stream, tmp_path):
    whole = plain(prices(120))
    header, *rows = whole.splitlines(keepends=True)
    rng = np.random.default_rng(7)
    for k in (0, 4):
        options = ["--lookahead", str(k), "--save-every", "7"]
        out, at = b"", 0
        while at < len(rows):
            size = int(rng.integers(0, 40)) if at else 30
            again = rng.random() < 0.5 or not at
            piece = "".join([header] * again + rows[at : at + size])
            code, more = stream(piece, "--state", f"s{k}", *options)
            assert code == 0
            out, at = out + more, at + size
        expected = denoised(tmp_path, whole, "--lookahead", str(k))
        assert out.splitlines() == expected.splitlines()[: len(rows) + 1 - k]
        # Rows that are held wait for more; --flush gives them up, once.
        code, more = stream(header, "--state", f"s{k}", *options, "--flush")
        assert (code, more.count(b"\n")) == (0, k)
        x = np.append(prices(120), [101.0] * 5)
        code, more = stream("".join(f"{i},101\n" for i in range(5)), "--state", f"s{k}", *options)
        y = [float(line.split(b",")[1]) for line in more.splitlines()]
        np.testing.assert_array_equal(y, rpsd.denoise(x, lookahead=k)[120 : 125 - k])


def test_many_series_and_blank_lines_are_held_over_pieces(stream):
    a, b = prices(60, 2), prices(60, 3)
    rows = [f"{key},{v}\n\n" for pair in zip(a, b, strict=True) for key, v in zip("AB", pair, strict=True)]
    options = ["--series", "key", "--lookahead", "2"]
    code, whole = stream("key,price\n" + "".join(rows), *options)
    assert (code, whole.count(b"\n")) == (0, 241)
    out = b""
    for at in range(0, 120, 7):
        out += stream("key,price\n" * (at == 0) + "".join(rows[at : at + 7]), *options, "--state", "s")[1]
    assert whole.startswith(out)
    assert whole[len(out) :].count(b"NaN") == 4


def test_skip_seen_takes_an_input_that_begins_anew(stream, tmp_path, capsys):
    whole = plain(prices(100))
    head = "".join(whole.splitlines(keepends=True)[:41])
    options = ["--state", "s", "--skip-seen"]
    first, second = stream(head, *options), stream(whole, *options)
    assert first[1] + second[1] == denoised(tmp_path, whole, "--lookahead", "0")
    assert stream(whole, *options) == (0, b"")
    assert stream(head, *options)[0] == 1
    assert "it ends after line 41 of the 101 that the state has seen" in capsys.readouterr().err
    assert stream("time" + whole, *options)[0] == 1
    assert "line 1 is not the header that the state has seen" in capsys.readouterr().err
    assert stream(whole + "100,100\n", *options)[1].startswith(b"100,")


def test_a_bad_line_leaves_the_state_before_it(stream, capsys):
    x = prices(50)
    rows = lines(x)
    code, out = stream("".join([*rows[:30], "x\n", *rows[30:]]), "--state", "s")
    assert (code, out.count(b"\n")) == (1, 30)
    code, more = stream("".join(rows[30:]), "--state", "s")
    assert code == 0
    np.testing.assert_array_equal(numbers((out + more).decode()), rpsd.denoise(x, lookahead=0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lookahead", "2"], "made with other options: lookahead 0, now 2; allowed: the same ones"),
        (["--method", "kalman"], 'method "auto", now "kalman"; '),
        (["--value", "price"], '--value None, now "price"'),
        (["--time", "t"], '--time None, now "t"'),
        (["--columns", "t,price"], '--columns None, now "t,price"'),
        (["--series", "t"], '--series None, now "t"'),
    ],
)
def test_a_state_of_other_options_is_refused(stream, tmp_path, capsys, arguments, message):
    assert stream(plain(prices(20)), "--state", "s")[0] == 0
    before = (tmp_path / "s").read_bytes()
    assert stream("1,1\n", "--state", "s", *arguments) == (2, b"")
    assert message in capsys.readouterr().err
    assert (tmp_path / "s").read_bytes() == before


def test_options_that_leave_the_state_as_it_is_may_change(stream):
    window = ["--fir-window", "hann"]
    assert stream(plain(prices(20)), "--state", "s", *window)[0] == 0
    more = ["--on-error", "skip", "--max-series", "3", "--save-every", "1", "--flush", *window]
    code, out = stream("1,1\n", "--state", "s", *more)
    assert (code, out[:2], out.count(b"\n")) == (0, b"1,", 1)


def test_files_that_are_no_state_are_refused_and_kept(stream, tmp_path, capsys):
    assert stream("1\n", "--state", "s")[0] == 0
    good = (tmp_path / "s").read_bytes()
    (tmp_path / "dir").mkdir()
    for name, data, message in (
        ("empty", b"", "empty must be a state that rpsd stream saved, got another file"),
        ("other", b"t,price\n" * 9, "other must be a state that rpsd stream saved"),
        ("late", good[:9] + b"\x07" + good[10:], "late must be a state of format 1, got format 7"),
        ("cut", good[:-1], "cut must be as rpsd stream saved it, got one whose checksum does not fit"),
        ("bit", good[:-1] + bytes([good[-1] ^ 1]), "bit must be as rpsd stream saved it"),
    ):
        (tmp_path / name).write_bytes(data)
        assert stream("1\n", "--state", name) == (1, b"")
        assert message in capsys.readouterr().err
        assert (tmp_path / name).read_bytes() == data
    assert stream("1\n", "--state", "dir")[0] == 1
    assert stream("1\n", "--state", "no/s")[0] == 1
    assert "cannot write no/s: there is no directory" in capsys.readouterr().err


def forged(good, change):
    """The state that change makes of one, under a checksum that fits."""
    body = change(good[15:])
    return good[:11] + zlib.crc32(body).to_bytes(4, "little") + body


def with_parts(**parts):
    def change(body):
        state = msgspec.msgpack.decode(body)
        for path, value in parts.items():
            *to, last = path.split("__")
            part = state
            for key in to:
                part = part[int(key) if isinstance(part, list) else key]
            part[last] = value
        return msgspec.msgpack.encode(state)

    return change


def without_lookahead(body):
    state = msgspec.msgpack.decode(body)
    del state["options"]["lookahead"]
    return msgspec.msgpack.encode(state)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: b"",
        lambda body: body[:-1],
        lambda body: body + b"x",
        lambda body: b"\x81" * 10_000,
        lambda body: b"\xa2\xff\xff",
        lambda body: msgspec.msgpack.encode([1]),
        lambda body: body.replace(b"options", b"0ptions"),
        lambda body: body.replace(b"lookahead", b"l\xff\xffkahead"),
        without_lookahead,
        with_parts(lines=-1),
        with_parts(rows=2**64 - 1),
        with_parts(layout=None),
        with_parts(layout__values=[2]),
        with_parts(layout__values=[-1]),
        with_parts(layout__values=[]),
        with_parts(layout__values=[0, 1]),
        with_parts(layout__series=7),
        with_parts(layout__delimiter=""),
        with_parts(series__=1),
        with_parts(series={"": {"snapshot": b"", "held": []}}),
        with_parts(series={"": {"snapshot": rpsd.Denoiser(lookahead=2).stream().snapshot(), "held": []}}),
        with_parts(series={"": {"snapshot": rpsd.Denoiser(lookahead=1).stream(1).snapshot(), "held": []}}),
        with_parts(series____held=[{"order": i, "text": f"{i},1\n"} for i in range(3)]),
        with_parts(series____held=[{"order": 1, "text": "no row\n"}]),
    ],
)
def test_forged_states_are_refused_and_kept(stream, tmp_path, capsys, change):
    assert stream(plain(prices(5)), "--state", "s", "--lookahead", "2")[0] == 0
    bad = forged((tmp_path / "s").read_bytes(), change)
    (tmp_path / "s").write_bytes(bad)
    capsys.readouterr()
    assert stream("7,100\n", "--state", "s", "--lookahead", "2") == (1, b"")
    error = capsys.readouterr().err
    assert error.startswith("rpsd: error: s must be a state that rpsd stream saved, got ")
    assert error.count("\n") == 1
    assert (tmp_path / "s").read_bytes() == bad


def test_a_state_that_cannot_be_saved_is_an_error_and_the_old_one_stays(
    stream, tmp_path, monkeypatch, capsys
):
    assert stream("1\n", "--state", "s")[0] == 0
    before = (tmp_path / "s").read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.replace", full)
    assert stream("2\n", "--state", "s") == (1, b"2\n")
    assert (
        capsys.readouterr().err
        == f"rpsd: error: cannot write {tmp_path / 's'}: {os.strerror(errno.ENOSPC)}\n"
    )
    assert (tmp_path / "s").read_bytes() == before
    assert not list(tmp_path.glob("*.tmp"))


if os.name == "posix":

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
    def test_lines_are_answered_at_once_and_signals_keep_the_state(tmp_path, number, code):
        x = prices(60)
        rows, y = lines(x), []
        with Live("--state", "s") as live:
            for row in rows[:40]:
                answer = live.ask(row)
                assert answer.endswith("\n")
                y += numbers(answer)
            assert len(y) == 40
            live.process.stdin.write(b"10")  # begun, and no line
            found, out, err = live.end(number)
        assert (found, out) == (code, "")
        assert err == "rpsd: 40 line(s) read, 40 printed; state saved in s\n"
        with Live("--state", "s") as live:
            y += numbers(live.ask("".join(rows[40:])))
            found, out, err = live.end()
        assert found == 0
        assert err.startswith("rpsd: goes on from s: 40 line(s) read, 40 printed\n")
        np.testing.assert_array_equal([*y, *numbers(out)], rpsd.denoise(x, lookahead=0))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "s"]

    def test_a_signal_without_a_state_ends_it_as_well():
        with Live("--lookahead", "1") as live:
            live.process.stdin.write(b"t,price\n")
            assert live.answer() == "t,price\n"
            live.process.stdin.write(b"1,2\n")
            assert live.ask("2,3\n") == "1,2\n"
            assert live.end(signal.SIGTERM)[:2] == (0, "")

    def test_a_kill_repeats_what_came_after_the_last_saving(tmp_path):
        x = prices(100)
        rows = lines(x)
        options = ("--state", "s", "--save-every", "10", "--skip-seen")
        with Live(*options) as live:
            out = [live.ask(row) for row in rows[:64]]
            live.process.kill()
            live.process.wait()
        (tmp_path / "in").write_text("".join(rows))
        with open(tmp_path / "in") as stdin:
            done = subprocess.run(
                [sys.executable, "-m", "rpsd.cli", "stream", *options],
                stdin=stdin, capture_output=True, text=True, check=False,
            )  # fmt: skip
        assert done.returncode == 0
        read, printed = told(done.stderr)
        assert read == printed == 60
        y = rpsd.denoise(x, lookahead=0)
        np.testing.assert_array_equal(numbers("".join(out)), y[:64])
        np.testing.assert_array_equal(numbers(done.stdout), y[60:])

    def test_the_state_is_saved_by_the_clock_while_no_line_comes(tmp_path):
        with Live("--state", "s", "--save-every", "0.05s") as live:
            live.ask("1\n")
            for _ in range(1200):
                if (tmp_path / "s").exists():
                    break
                time.sleep(0.05)
            live.process.kill()
        with Live("--state", "s") as live:
            assert told(live.end()[2]) == (1, 1)

    def test_what_a_reader_that_left_did_not_take_comes_next_time():
        x = prices(30)
        rows, y = lines(x), []
        with Live("--state", "s", "--lookahead", "2") as live:
            live.process.stdin.write("".join(rows[:2]).encode())
            for row in rows[2:10]:
                y += numbers(live.ask(row))
            live.process.stdout.close()
            live.process.stdin.write("".join(rows[10:15]).encode())
            assert live.process.stderr.read() == b""
            assert live.process.wait() == 1
            live.process.stdout = open(os.devnull)  # noqa: SIM115 - closed by the block
        with Live("--state", "s", "--lookahead", "2") as live:
            out = live.answer()
            live.process.stdin.write("".join(rows[15:]).encode())
            code, rest, _ = live.end()
        y += numbers(out + rest)
        assert code == 0
        np.testing.assert_array_equal(y, rpsd.denoise(x, lookahead=2)[:28])

    def test_a_reader_that_does_not_read_does_not_keep_it_from_ending(tmp_path):
        x = np.tile(prices(2000), 10)
        whole = "".join(lines(x))
        (tmp_path / "in").write_text(whole)
        with open(tmp_path / "in") as stdin:
            process = subprocess.Popen(
                [sys.executable, "-m", "rpsd.cli", "stream", "--state", "s", "--save-every", "1000s"],
                stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            assert select.select([process.stdout], [], [], 120)[0]
            process.send_signal(signal.SIGTERM)
            code = process.wait(120)
            out, err = (pipe.read().decode() for pipe in (process.stdout, process.stderr))
            for pipe in (process.stdout, process.stderr):
                pipe.close()
        assert code == 0
        read, printed = told(err)
        assert printed <= read < len(x)
        assert out.count("\n") == printed
        done = subprocess.run(
            [sys.executable, "-m", "rpsd.cli", "stream", "--state", "s", "--skip-seen"],
            input=whole, capture_output=True, text=True, check=True,
        )  # fmt: skip
        np.testing.assert_array_equal(numbers(out + done.stdout), rpsd.denoise(x, lookahead=0))


if sys.platform == "linux":

    def test_a_full_device_is_told_and_what_it_did_not_take_comes_next_time(stream):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "rpsd.cli", "stream", "--state", "s"],
                input="1\n2\n", stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr == f"rpsd: error: standard output: {os.strerror(errno.ENOSPC)}\n"
        assert stream("3\n", "--state", "s") == (0, b"1\n2\n3\n")
