# SPDX-License-Identifier: MIT
"""The cache: its effect, its bound, and that what is damaged or shared does no harm."""

import hashlib
import os
import threading

import pytest
from batches import batch, done, in_process, make_folder, own_cache, tree
from command import own_home

from rpsd.batch._cache import Cache

__all__ = ["done", "in_process", "own_cache", "own_home"]  # fixtures; the last two guard every test here

pytestmark = pytest.mark.usefixtures("in_process")


def entries(tmp_path):
    return sorted((tmp_path / "cache" / "batch").iterdir(), key=lambda path: path.stat().st_mtime_ns)


def test_what_was_made_is_taken_from_the_cache_byte_for_byte(tmp_path, done, capsys):
    make_folder(tmp_path / "in", files=3)
    assert batch("in", "-o", "out1") == 0
    assert len(done) == 4
    assert len(entries(tmp_path)) == 4
    done.clear()
    assert batch("in", "-o", "out2") == 0
    assert done == []
    assert "4 file(s) (4 from the cache): 4 delivered" in capsys.readouterr().err
    assert tree(tmp_path / "out2") == tree(tmp_path / "out1")


@pytest.mark.parametrize("options", [["--level", "3"], ["--value", "price"], ["--lag-threshold", "0.4"]])
def test_other_options_columns_and_guardrails_are_other_results(tmp_path, done, options):
    make_folder(tmp_path / "in", files=1)
    assert batch("in", "-o", "out1") == 0
    done.clear()
    assert batch("in", "-o", "out2", *options) == 0
    assert len(done) == 2


def test_where_options_came_from_is_part_of_the_receipt_and_so_of_the_result(tmp_path, done, monkeypatch):
    make_folder(tmp_path / "in", files=1)
    assert batch("in", "-o", "out1", "--min-gain-db", "0.2") == 0
    done.clear()
    monkeypatch.setenv("RPSD_MIN_GAIN_DB", "0.2")
    assert batch("in", "-o", "out2") == 0
    assert len(done) == 2


def test_an_entry_in_the_place_of_another_is_none(tmp_path, done):
    make_folder(tmp_path / "in", files=2)
    assert batch("in", "-o", "out1") == 0
    first, second, *_ = entries(tmp_path)
    first.rename(tmp_path / "kept")
    second.rename(first)
    (tmp_path / "kept").rename(second)
    done.clear()
    assert batch("in", "-o", "out2") == 0
    assert len(done) == 2
    assert tree(tmp_path / "out2") == tree(tmp_path / "out1")


def test_the_same_data_under_another_name_are_taken(tmp_path, done):
    make_folder(tmp_path / "in", files=1)
    assert batch("in", "-o", "out1") == 0
    done.clear()
    (tmp_path / "in" / "deep" / "s00.csv").rename(tmp_path / "in" / "other.csv")
    assert batch("in", "-o", "out2") == 0
    assert done == []


@pytest.mark.parametrize("size", [0, 1, 3, 100])
def test_no_more_results_are_kept_than_cache_size(tmp_path, size, monkeypatch):
    make_folder(tmp_path / "in", files=5)
    monkeypatch.setenv("RPSD_CACHE_SIZE", str(size))
    assert batch("in", "-o", "out") == 0
    assert (tmp_path / "cache").exists() == (size > 0)
    if size:
        assert len(entries(tmp_path)) == min(size, 6)


def test_the_least_recently_used_goes_first(tmp_path):
    cache = Cache(os.fspath(tmp_path / "c"), 3)
    for i, key in enumerate("abc"):
        store(cache, tmp_path, key)
        os.utime(tmp_path / "c" / key, ns=(i, i))
    assert cache.fetch("a", tmp_path / "target") is not None
    store(cache, tmp_path, "d")
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["a", "c", "d"]


def store(cache, folder, key):
    data = (key * 1000).encode()
    source = folder / f"{key}.{threading.get_ident()}.source"
    source.write_bytes(data)
    cache.store(key, source, {"output": hashlib.sha256(data).hexdigest(), "key": key})


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: b"",
        lambda data: b"{}\n",
        lambda data: b"no JSON\n" + data,
        *(lambda data, i=i: data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :] for i in (20, 70, 100, 500, -1)),
    ],
)
def test_what_is_damaged_is_found_discarded_and_made_again(tmp_path, done, damage):
    make_folder(tmp_path / "in", files=1)
    assert batch("in", "-o", "whole", "--cache-size", "0") == 0
    assert batch("in", "-o", "out1") == 0
    for path in entries(tmp_path):
        path.write_bytes(damage(path.read_bytes()))
    done.clear()
    assert batch("in", "-o", "out2") == 0
    assert tree(tmp_path / "out2") == tree(tmp_path / "whole")
    done.clear()
    assert batch("in", "-o", "out3") == 0
    assert done == []


def test_a_cache_that_cannot_be_written_costs_nothing(tmp_path, monkeypatch):
    make_folder(tmp_path / "in", files=1)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RPSD_CACHE_DIR", os.fspath(tmp_path / "file"))
    assert batch("in", "-o", "out") == 0
    assert (tmp_path / "file").read_text() == ""


def test_failures_are_not_kept(tmp_path, done):
    (tmp_path / "bad.csv").write_text("price\n1\nx\n")
    for _ in range(2):
        assert batch("bad.csv", "-o", "out") == 1
    assert done == ["bad.csv"] * 2


def test_many_runs_at_once_do_each_other_no_harm(tmp_path):
    wrong = []

    def use(number):
        cache = Cache(os.fspath(tmp_path / "c"), 4)
        target = tmp_path / f"{number}.target"
        for i in range(60):
            key = "abcdefgh"[(i * 5 + number) % 8]
            record = cache.fetch(key, target)
            if record is not None and (record["key"], target.read_bytes()) != (key, (key * 1000).encode()):
                wrong.append(key)
            store(cache, tmp_path, key)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert 1 <= len(list((tmp_path / "c").iterdir())) <= 4
