# SPDX-License-Identifier: MIT
"""Many series in one file: each as if it were alone, whatever the order of the rows and the format."""

import gzip
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from long_tables import GOOD, START, each_alone, lines, long_table, read, run, write

import rpsd
from rpsd import Guardrails, InputError

SUFFIXES = ("csv", "csv.gz", "csv.zst", "parquet", "arrow", "ipc", "feather")


@pytest.mark.parametrize("order", ["symbol", "timestamp"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_each_series_is_denoised_as_if_alone(tmp_path, suffix, order):
    frame = long_table(order=order)
    write(frame, tmp_path / f"in.{suffix}")
    outcomes = run(tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}", by="symbol", values=("price",))
    out = read(tmp_path / f"out.{suffix}")
    np.testing.assert_array_equal(out["price"].to_numpy(), each_alone(frame))
    before = read(tmp_path / f"in.{suffix}")
    pd.testing.assert_frame_equal(out.drop(columns="price"), before.drop(columns="price"))
    assert [o.key for o in outcomes] == [f"S{k:03d}" for k in range(9)]
    assert [o.rows for o in outcomes] == frame.groupby("symbol").size().tolist()
    assert [o.missing for o in outcomes] == frame["price"].isna().groupby(frame["symbol"]).sum().tolist()


@pytest.mark.parametrize(
    "options",
    [
        {"lookahead": 0},
        {"method": "wavelet", "wavelet": "db4", "level": 4, "noise": "mad", "lookahead": 3, "window": 64},
        {"method": "wavelet", "level": 9},
        {"space": "log"},
    ],
)
def test_what_is_known_of_a_series_is_what_a_run_of_it_alone_tells(tmp_path, options):
    frame = long_table(series=6, n=200)
    write(frame, tmp_path / "in.parquet")
    outcomes = run(tmp_path / "in.parquet", tmp_path / "out.parquet", options=options, by="symbol")
    out = read(tmp_path / "out.parquet")
    for outcome in outcomes:
        rows = frame["symbol"] == outcome.key
        with pytest.warns(rpsd.RpsdWarning) if outcome.notes else _nothing() as told:
            alone = rpsd.Denoiser(**options).run(frame["price"].to_numpy()[rows])
        assert outcome.notes == tuple(str(one.message) for one in told or ())
        np.testing.assert_array_equal(out["price"][rows], alone.values)
        assert outcome.checks.keys() == {check.name for check in alone.report.checks}
        for check in alone.report.checks:
            np.testing.assert_array_equal(outcome.checks[check.name], check.value)
        assert (outcome.action, outcome.level, outcome.warmup) == (alone.action, alone.level, alone.warmup)
        assert (outcome.passed, outcome.score) == (alone.report.passed, alone.report.score)
        np.testing.assert_array_equal(outcome.noise_sd, alone.noise.noise_sd)


class _nothing:
    def __enter__(self):
        return None

    def __exit__(self, *error):
        return False


def test_threads_change_nothing(tmp_path):
    write(long_table(), tmp_path / "in.parquet")
    one = run(tmp_path / "in.parquet", tmp_path / "one.parquet", by="symbol")
    two = run(tmp_path / "in.parquet", tmp_path / "two.parquet", by="symbol", threads=2)
    assert repr(one) == repr(two)  # as NaN is not itself
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


@pytest.mark.parametrize(
    "keys", [pa.array([7, 7, 9], pa.int32()), pa.array(["7", "7", "9"]).dictionary_encode()]
)
def test_keys_of_any_type(tmp_path, keys):
    pq.write_table(pa.table({"id": keys, "price": [1.0, 2.0, 3.0]}), tmp_path / "in.parquet")
    outcomes = run(tmp_path / "in.parquet", tmp_path / "out.parquet", by="id")
    assert [(o.key, o.rows, o.action) for o in outcomes] == [("7", 2, "passthrough"), ("9", 1, "passthrough")]


@pytest.mark.parametrize("dictionary", [False, True])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_a_key_that_is_nan_is_missing_and_a_text_is_not(tmp_path, kind, dictionary):
    keys = pa.array(np.array([7, np.nan, 7], kind))
    table = pa.table({"id": keys.dictionary_encode() if dictionary else keys, "price": [1.0, 2.0, 3.0]})
    with pa.ipc.new_file(tmp_path / "in.arrow", table.schema) as writer:
        writer.write_table(table)
    one, lost = run(tmp_path / "in.arrow", tmp_path / "out.arrow", by="id")
    assert (one.key, one.rows, lost.key, lost.rows) == ("7", 2, "", 1)
    assert lost.error.startswith('row 2, column "id": the key is missing')
    assert pa.ipc.open_file(tmp_path / "out.arrow").read_all()["price"].to_pylist() == [1.0, None, 3.0]
    pq.write_table(pa.table({"id": ["7", "nan"], "price": [1.0, 2.0]}), tmp_path / "in.parquet")
    assert [o.key for o in run(tmp_path / "in.parquet", tmp_path / "out.parquet", by="id")] == ["7", "nan"]


def text_of(cells):
    """Return a column of text whose bytes nobody has checked."""
    stored = pa.array(cells, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(cells), stored.buffers())


@pytest.mark.parametrize("dictionary", [False, True])
def test_a_key_that_is_not_utf8_is_missing_and_the_others_are_delivered(tmp_path, dictionary):
    keys = text_of([b"A", b"B\xff", b"A", b"B\xfe"])
    keys = keys.dictionary_encode() if dictionary else keys
    pq.write_table(pa.table({"id": keys, "price": [1.0, 2.0, 3.0, 4.0]}), tmp_path / "in.parquet")
    one, lost = run(tmp_path / "in.parquet", tmp_path / "out.parquet", by="id")
    assert (one.key, one.rows, lost.key, lost.rows) == ("A", 2, "", 2)
    assert lost.error.startswith('row 2, column "id": the key is missing or not UTF-8')
    assert pq.read_table(tmp_path / "out.parquet")["price"].to_pylist() == [1.0, None, 3.0, None]


def test_text_that_is_not_utf8_fails_its_series_and_a_column_that_is_not_used_none(tmp_path):
    times, notes = text_of([b"2025-01-02", b"2025-01-03\xff"] * 2), text_of([b"\xfe"] * 4)
    table = pa.table({"id": ["A", "A", "B", "B"], "at": times, "note": notes, "price": [1.0, 2.0, 3.0, 4.0]})
    pq.write_table(table, tmp_path / "in.parquet")
    for lost in run(tmp_path / "in.parquet", tmp_path / "out.parquet", by="id", time="at"):
        assert "column \"at\": '2025-01-03\\xff' is not a time" in lost.error
    for kept in run(tmp_path / "in.parquet", tmp_path / "out.parquet", by="id", no_time=True):
        assert kept.action == "passthrough"
    assert (
        pq.read_table(tmp_path / "out.parquet")["note"].combine_chunks().buffers()[2].to_pybytes()
        == b"\xfe" * 4
    )


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_column_whose_name_is_not_utf8_is_refused(tmp_path, suffix):
    path = tmp_path / f"in.{suffix}"
    write(pd.DataFrame({"priXe": [1.0, 2.0]}), path)
    path.write_bytes(path.read_bytes().replace(b"priXe", b"pri\xffe"))
    with pytest.raises(rpsd.InputError, match="the name of a column is not UTF-8; rename the column"):
        run(path, tmp_path / "out.parquet")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_keys_are_taken_as_they_are(tmp_path, suffix):
    keys = ["A", " A", "A ", "\tA", 'A"B', "A,B", "a", " "]
    frame = pd.DataFrame({"symbol": keys * 3, "price": [1.0, 2, 3, 4, 5, 6, 7, 8] * 3})
    write(frame, tmp_path / f"in.{suffix}")
    outcomes = run(tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}", by="symbol")
    assert [(o.key, o.rows) for o in outcomes] == [*((key, 3) for key in keys[:-1]), ("", 3)]
    assert outcomes[-1].error.startswith(f'{"line 9" if "csv" in suffix else "row 8"}, column "symbol"')
    run(tmp_path / f"in.{suffix}", tmp_path / f"one.{suffix}", by="symbol", only=(" A",))
    assert read(tmp_path / f"one.{suffix}")["symbol"].tolist() == [" A"] * 3


def test_sessions_go_by_the_times_of_each_series(tmp_path):
    rng = np.random.default_rng(4)
    minutes = {"A": np.r_[0:300, 2000:2300], "B": np.r_[0:200, 900:1300], "C": np.arange(600)}
    frame = pd.concat(
        pd.DataFrame(
            {
                "symbol": key,
                "timestamp": START + at * np.timedelta64(60, "s"),
                "price": 100 + 0.01 * (np.cumsum(rng.normal(size=600)) + rng.normal(size=600)),
            }
        )
        for key, at in minutes.items()
    ).sort_values("timestamp", kind="stable", ignore_index=True)
    for lookahead in (None, 0):
        write(frame, tmp_path / "in.parquet")
        options = {"breaks": "auto", "lookahead": lookahead}
        outcomes = run(tmp_path / "in.parquet", tmp_path / "out.parquet", options=options, by="symbol")
        assert {o.key: o.sessions for o in outcomes} == {"A": 2, "B": 2, "C": 1}
        out = read(tmp_path / "out.parquet")
        for key, part in frame.groupby("symbol"):
            series = part.set_index("timestamp")["price"]
            expected = rpsd.denoise(series, **options)
            np.testing.assert_array_equal(out["price"][out["symbol"] == key], expected)


@pytest.mark.parametrize("policy", ["raise", "passthrough", "relax"])
def test_a_breach_is_dealt_with_in_the_series_that_has_it(tmp_path, policy):
    frame = long_table(series=6)
    gains = [
        next(c.value for c in rpsd.Denoiser().run(x.to_numpy()).report.checks if c.name == "gain")
        for _, x in frame.groupby("symbol")["price"]
    ]
    rails = Guardrails(gain_threshold=float(np.median(gains)), policy=policy)
    write(frame, tmp_path / "in.parquet")
    outcomes = run(tmp_path / "in.parquet", tmp_path / "out.parquet", guardrails=rails, by="symbol")
    out = read(tmp_path / "out.parquet")
    acted = 0
    for outcome in outcomes:
        rows = frame["symbol"] == outcome.key
        prices = frame["price"].to_numpy()[rows]
        plain = rpsd.Denoiser().run(prices)
        breached = not rpsd.evaluate(prices, plain.values, guardrails=rails).passed
        acted += breached
        expected = plain.values
        if breached and policy == "raise":
            assert outcome.action == "failed"
            assert outcome.error.startswith("guardrails breached: gain ")
            expected = np.full(rows.sum(), np.nan)
        elif breached:
            alone = rpsd.Denoiser(guardrails=rails).run(prices)
            found = outcome.action, outcome.strength, outcome.binding
            assert found == (alone.action, alone.strength, alone.binding)
            expected = alone.values
        np.testing.assert_array_equal(out["price"][rows], expected)
    assert 0 < acted < 6


def test_an_option_that_refuses_some_series_fails_those(tmp_path):
    frame = long_table(series=4)
    frame["price"] = np.where(frame["symbol"] == "S002", frame["price"], frame["price"].ffill())
    at = int(np.flatnonzero((frame["symbol"] == "S002") & frame["price"].isna())[0])
    write(frame, tmp_path / "in.parquet")
    outcomes = run(
        tmp_path / "in.parquet", tmp_path / "out.parquet", options={"missing": "raise"}, by="symbol"
    )
    assert [o.action == "failed" for o in outcomes] == [False, False, True, False]
    assert outcomes[2].error.startswith(f'row {at + 1}, column "price": x has NaN')


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_only_some_keys_are_kept(tmp_path, suffix):
    frame = long_table(order="timestamp")
    write(frame, tmp_path / f"in.{suffix}")
    keys = ("S007", "S002", "none")
    outcomes = run(
        tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}", by="symbol", values=("price",), only=keys
    )
    assert [o.key for o in outcomes] == ["S002", "S007"]
    wanted = frame[frame["symbol"].isin(keys)].reset_index(drop=True)
    np.testing.assert_array_equal(read(tmp_path / f"out.{suffix}")["price"], each_alone(wanted))
    with pytest.raises(InputError, match='no data rows with any of the keys x in column "symbol"'):
        run(tmp_path / f"in.{suffix}", tmp_path / "none", by="symbol", values=("price",), only=("x",))
    assert not (tmp_path / "none").exists()


def test_row_groups_without_wanted_keys_are_not_read(tmp_path):
    frame = long_table(series=6, n=300)
    write(frame, tmp_path / "in.parquet", row_group_size=300, compression="none")
    data = bytearray((tmp_path / "in.parquet").read_bytes())
    second = pq.ParquetFile(tmp_path / "in.parquet").metadata.row_group(1).column(2)
    data[second.data_page_offset : second.data_page_offset + 8] = b"\xff" * 8  # not to be read
    (tmp_path / "in.parquet").write_bytes(data)
    run(tmp_path / "in.parquet", tmp_path / "out.parquet", by="symbol", values=("price",), only=("S005",))
    assert read(tmp_path / "out.parquet")["symbol"].unique().tolist() == ["S005"]
    with pytest.raises(InputError, match="not a readable Parquet file"):
        run(tmp_path / "in.parquet", tmp_path / "out.parquet", by="symbol", values=("price",))


def test_lines_are_named_as_they_stand_in_the_file_though_keys_are_left_out(tmp_path):
    text = lines("B,2025-01-02,1", '"A",2025-01-02,1', "B,2025-01-03,1", "", "A,2025-01-03,x", *GOOD)
    (tmp_path / "in.csv").write_text(text)
    outcomes = run(tmp_path / "in.csv", tmp_path / "out.csv", by="symbol", only=("A", "GOOD"))
    assert outcomes[0].error.startswith("line 6, column")
    assert (tmp_path / "out.csv").read_text().splitlines()[:4] == [
        "symbol,timestamp,price",
        '"A",2025-01-02,NaN',
        "A,2025-01-03,NaN",
        GOOD[0],
    ]


def test_parquet_keeps_what_it_is(tmp_path):
    table = pa.Table.from_pandas(long_table(), preserve_index=False)
    fields = [
        table.schema.field("price").with_metadata({"unit": "USD"}),
        *(table.schema.field(name) for name in ("symbol", "timestamp", "volume")),
    ]
    table = table.select([f.name for f in fields]).cast(pa.schema(fields, metadata={"owner": "desk"}))
    codecs = {"price": "zstd", "symbol": "snappy", "timestamp": "gzip", "volume": "none"}
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=1000, compression=codecs)
    outcomes = run(tmp_path / "in.parquet", tmp_path / "out.parquet", by="symbol", values=("price",))
    before, after = (pq.ParquetFile(tmp_path / name) for name in ("in.parquet", "out.parquet"))
    assert after.schema_arrow.equals(before.schema_arrow)
    assert after.schema_arrow.field("price").metadata[b"unit"] == b"USD"
    assert after.schema_arrow.metadata == {b"owner": b"desk", b"rpsd": b'{"series": 9}'}
    assert pq.read_table(tmp_path / "out.parquet").schema.metadata[b"rpsd"] == b'{"series": 9}'
    assert len(outcomes) == 9

    def layout(file):
        groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
        return [(g.num_rows, [g.column(c).compression for c in range(4)]) for g in groups]

    assert layout(after) == layout(before)
    # What was written once is replaced when it is denoised again.
    run(
        tmp_path / "out.parquet",
        tmp_path / "again.parquet",
        by="symbol",
        metadata=lambda _: {"again": 1},
        values=("price",),
    )
    assert json.loads(pq.read_schema(tmp_path / "again.parquet").metadata[b"rpsd"]) == {"again": 1}


@pytest.mark.parametrize("codec", ["uncompressed", "lz4", "zstd"])
def test_arrow_files_keep_batches_compression_and_metadata(tmp_path, codec):
    write(long_table(), tmp_path / "in.feather", compression=codec, chunksize=1000)
    run(tmp_path / "in.feather", tmp_path / "out.feather", by="symbol", values=("price",))
    before, after = (pa.ipc.open_file(tmp_path / name) for name in ("in.feather", "out.feather"))
    sizes = [[f.get_batch(i).num_rows for i in range(f.num_record_batches)] for f in (before, after)]
    assert sizes[0] == sizes[1]
    assert after.schema.metadata[b"rpsd"] == b'{"series": 9}'
    plain = sum(column.nbytes for column in after.read_all().columns)
    assert ((tmp_path / "out.feather").stat().st_size < 0.9 * plain) == (codec != "uncompressed")


def test_gzip_holds_no_time(tmp_path, monkeypatch):
    write(long_table(series=2), tmp_path / "in.csv.gz")
    run(tmp_path / "in.csv.gz", tmp_path / "a.csv.gz", by="symbol", values=("price",))
    monkeypatch.setattr("time.time", lambda: 1e9)
    run(tmp_path / "in.csv.gz", tmp_path / "b.csv.gz", by="symbol", values=("price",))
    data = (tmp_path / "a.csv.gz").read_bytes()
    assert data == (tmp_path / "b.csv.gz").read_bytes()
    assert data[4:8] == b"\0\0\0\0"
    assert gzip.decompress(data).startswith(b"symbol,timestamp,price,volume\n")


def test_groups_of_one_and_two_rows(tmp_path):
    rows = [f"K{k},2025-01-0{d},{k + d}" for k in range(300) for d in range(1, 2 + k % 2)]
    (tmp_path / "in.csv").write_text(lines(*rows))
    outcomes = run(tmp_path / "in.csv", tmp_path / "out.csv", by="symbol")
    assert {o.action for o in outcomes} == {"passthrough"}
    assert (tmp_path / "out.csv").read_text() == lines(*rows)


WHOLE_FILE = {
    "no such key column": (
        {"by": "ticker"},
        'no column "ticker" (--by); the file has "symbol", "timestamp", "price"',
    ),
    "key is the price": ({"by": "price", "values": ("price",)}, "named by both --by and --value"),
    "key is the time": ({"by": "timestamp", "time": "timestamp"}, "named by both --by and --time"),
}


@pytest.mark.parametrize(("columns", "message"), WHOLE_FILE.values(), ids=WHOLE_FILE)
def test_what_is_wrong_with_the_whole_file_is_raised(tmp_path, columns, message):
    (tmp_path / "in.csv").write_text(lines(*GOOD))
    with pytest.raises(InputError) as caught:
        run(tmp_path / "in.csv", tmp_path / "out.csv", **columns)
    assert message in str(caught.value)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_none_is_refused(tmp_path, suffix):
    (tmp_path / f"in.{suffix}").write_bytes(b"\x1f\x8bPAR1ARROW1\0")
    with pytest.raises(InputError, match=r"in\."):
        run(tmp_path / f"in.{suffix}", tmp_path / "out", by="symbol")
    with pytest.raises(InputError, match="cannot read"):
        run(tmp_path / f"none.{suffix}", tmp_path / "out", by="symbol")


def test_sessions_that_only_later_prices_tell_fail_a_causal_run(tmp_path):
    (tmp_path / "in.csv").write_text("symbol,price\nA,1\nA,2\nB,3\n")
    options = {"breaks": "auto", "lookahead": 0}
    outcomes = run(tmp_path / "in.csv", tmp_path / "out.csv", options=options, by="symbol")
    assert [o.error.split(";")[0] for o in outcomes] == [
        'breaks="auto" without times tells sessions by later prices, which lookahead forbids'
    ] * 2
    assert not (tmp_path / "out.csv").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "in.csv").write_text(lines(*GOOD))
    with pytest.raises(rpsd.RpsdError, match="cannot be written"):
        run(tmp_path / "in.csv", tmp_path / "none" / "out.csv", by="symbol")
