# SPDX-License-Identifier: MIT
"""Times in the forms that files have: read as the instants that pandas and zoneinfo say, or refused."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from long_tables import read, run

from rpsd import InputError
from rpsd.batch.files import choose_columns, read_times
from rpsd.batch.files._csv import CsvTable

LOCAL = {
    "slashes": "%Y/%m/%d %H:%M:%S",
    "slashes, minutes": "%Y/%m/%d %H:%M",
    "slashes, T": "%Y/%m/%dT%H:%M:%S",
    "slashes, date": "%Y/%m/%d",
    "points": "%Y.%m.%d %H:%M",
    "compact date": "%Y%m%d %H:%M:%S",
    "compact date, fraction": "%Y%m%d %H:%M:%S.%f",
    "basic": "%Y%m%dT%H%M%S",
    "basic, fraction": "%Y%m%dT%H%M%S.%f",
    "basic, minutes": "%Y%m%dT%H%M",
    "basic, hours": "%Y%m%dT%H",
    "compact": "%Y%m%d %H%M%S",
    "FIX": "%Y%m%d-%H:%M:%S.%f",
    "basic time": "%Y-%m-%dT%H%M%S",
    "comma": "%Y-%m-%d %H:%M:%S,%f",
    "basic comma": "%Y%m%dT%H%M%S,%f",
    "small t": "%Y-%m-%dt%H:%M:%S",
}
ZONED = {
    "UTC": "%Y-%m-%d %H:%M:%S UTC",
    "GMT": "%Y-%m-%d %H:%M:%S GMT",
    "UTC, slashes": "%Y/%m/%d %H:%M:%SUTC",
    "small z": "%Y-%m-%dT%H:%M:%Sz",
    "small t and z": "%Y/%m/%dt%H:%M:%S.%fz",
    "basic Z": "%Y%m%dT%H%M%SZ",
    "basic offset": "%Y%m%dT%H%M%S+0000",
    "offset apart": "%Y-%m-%d %H:%M:%S +00:00",
    "hours": "%Y-%m-%d %H UTC",
}
STARTS = pd.date_range("2026-01-05 09:30:00", periods=60, freq="7h13min7.25s")


def times_of(cells):
    quote = '"' if any("," in cell for cell in cells) else ""
    rows = "".join(f"{k},{quote}{cell}{quote}\n" for k, cell in enumerate(cells))
    table = CsvTable(f"price,when\n{rows}".encode(), "in.csv")
    assert choose_columns(table, None, [])[0] == 1  # found by itself
    return read_times(table, 1)


@pytest.mark.parametrize("form", [*LOCAL.values(), *ZONED.values()], ids=[*LOCAL, *ZONED])
@pytest.mark.parametrize("blank", ["", "  "])
def test_forms_of_times(form, blank):
    cells = STARTS.strftime(form)
    times, _ = times_of(blank + cells + blank)
    assert times.zone == ("UTC" if form in ZONED.values() else "")
    expected = pd.DatetimeIndex([datetime.strptime(cell, form).replace(tzinfo=None) for cell in cells])
    np.testing.assert_array_equal(times.values, expected.as_unit("ns"))


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Etc/GMT+5"])
@pytest.mark.parametrize("form", ["{} {}", "{}[{}]", "{} [{}]"])
def test_names_of_zones(zone, form):
    clocks = pd.date_range("2026-02-25", "2026-11-20", freq="101min")
    instants = [datetime.fromisoformat(str(clock)).replace(tzinfo=ZoneInfo(zone)) for clock in clocks]
    # Those that the clock shows once.
    once = [at for at in instants if at.utcoffset() == at.replace(fold=1).utcoffset()]
    times, notes = times_of([form.format(at.strftime("%Y-%m-%d %H:%M:%S"), zone) for at in once])
    assert times.zone == "UTC"
    np.testing.assert_array_equal(
        times.values, pd.to_datetime(once, utc=True).tz_localize(None).as_unit("ns")
    )
    assert len(notes) == (zone != "Etc/GMT+5")  # the offsets that occur


def test_an_offset_says_more_than_the_name_of_the_zone():
    cells = [f"2026-11-01T01:30:00{offset}[America/New_York]" for offset in ("-04:00", "-05:00")]
    times, _ = times_of(cells)
    assert times.values.astype(str).tolist() == [
        "2026-11-01T05:30:00.000000000",
        "2026-11-01T06:30:00.000000000",
    ]


def test_forms_may_mix_where_each_is_sure():
    cells = [
        "2026/01/05 09:30",
        "2026/01/05 09:31",
        "20260105T093200",
        "2026-01-05 09:33:00.5",
        "2026/01/05 09:34",
    ]
    times, _ = times_of(cells)
    assert ((times.values - times.values[0]) / np.timedelta64(60, "s")).tolist() == [0, 1, 2, 3 + 0.5 / 60, 4]


def test_a_zone_may_be_another_in_each_row():
    times, _ = times_of(
        ["2026-01-05 09:30:00 America/New_York", "2026/01/05 14:31 UTC", "20260105T153200+0100"]
    )
    assert (np.diff(times.values) == np.timedelta64(60, "s")).all()


REFUSED = {
    "01/05/2026": "'01/05/2026' is not a time; allowed: ISO 8601",
    "05.01.2026 09:30": "'05.01.2026 09:30' is not a time; allowed: ISO 8601",
    "Jan 05": "'Jan 05' is not a time; allowed: ISO 8601",
    "5 Jan 2026": "'5 Jan 2026' is not a time; allowed: ISO 8601",
    "2026/13/01 09:30": "'2026/13/01 09:30' is not a time; allowed: ISO 8601",
    "2026/01.05 09:30": "'2026/01.05 09:30' is not a time; allowed: ISO 8601",
    "2026-01-05 09:30 EST": "'2026-01-05 09:30 EST' is not a time; allowed: ISO 8601",
    "2026-01-05 09:30 AM": "'2026-01-05 09:30 AM' is not a time; allowed: ISO 8601",
    "2026-01-05 UTC": "'2026-01-05 UTC' is not a time; allowed: ISO 8601",
    "2026-01-05 09:30 Mars/Base": "': 'Mars/Base' is not a time zone that is known here",
    "2026-11-01 01:30 America/New_York": "': the clocks of America/New_York show it twice, or never",
    "2026-03-08 02:30 America/New_York": "': the clocks of America/New_York show it twice, or never",
}


@pytest.mark.parametrize(("cell", "message"), REFUSED.items())
def test_what_no_form_tells_for_sure_is_refused(cell, message):
    for cells, line in (([cell, cell], 2), (["2026/01/05 09:30:00", cell], 3)):
        table = CsvTable(("when,price\n" + "".join(f"{one},1\n" for one in cells)).encode(), "in.csv")
        with pytest.raises(InputError) as caught:
            read_times(table, 0)
        assert f'in.csv: line {line}, column "when": ' in str(caught.value)
        assert message in str(caught.value)


ALLOWED = [
    "2025-08-18 13:30:00+00:00",
    "20250818T1330Z",
    "2025-08-18",
    "2025/08/18",
    "2025-08-18 13:30:00 UTC",
    "2025-08-18 13:30:00 America/New_York",
    "20250818",
    "20250818133000",
    "1755523800",
    "1755523800000",
    "1.5",
]


@pytest.mark.parametrize("cell", ALLOWED)
def test_what_the_message_allows_is_read(cell):
    table = CsvTable(f"when,price\n{cell},1\n".encode(), "in.csv")
    assert len(read_times(table, 0)[0].values) == 1


def test_forms_mixed_with_and_without_a_zone_are_named_as_they_stand():
    table = CsvTable(b"when,price\n2026/01/05 09:30,1\n20260105T093100Z,2\n", "in.csv")
    message = "'20260105T093100Z' after '2026/01/05 09:30' mixes times with and without a zone"
    with pytest.raises(InputError, match=message):
        read_times(table, 0)


def test_a_bad_time_fails_its_series_only_in_any_form(tmp_path):
    rows = [f"{key},2026/01/05 09:3{k}:00,{k}" for k in range(5) for key in "AB"]
    rows[5] = "B,01/05/2026 09:32:00,2"
    (tmp_path / "in.csv").write_text("symbol,when,price\n" + "\n".join(rows) + "\n")
    good, bad = run(tmp_path / "in.csv", tmp_path / "out.csv", by="symbol")
    assert (good.action, bad.action) == ("passthrough", "failed")
    assert bad.error.startswith("line 7, column \"when\": '01/05/2026 09:32:00' is not a time; allowed")
    assert read(tmp_path / "out.csv")["when"].tolist() == [row.split(",")[1] for row in rows]


@pytest.mark.parametrize("dictionary", [False, True])
def test_texts_of_parquet_are_read_alike(tmp_path, dictionary):
    when = pa.array(["20260105 09:30:00", "20260105 09:31:00", "20260105 09:30:30"])
    when = when.dictionary_encode() if dictionary else when
    pq.write_table(pa.table({"when": when, "price": [1.0, 2.0, 3.0]}), tmp_path / "in.parquet")
    (outcome,) = run(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert "2026-01-05 09:30:30 comes after 2026-01-05 09:31:00" in outcome.error
