# SPDX-License-Identifier: MIT
"""What the tests of engines and stores share: a folder of files, and what a run makes of it anywhere."""

from batches import prices, tree


def make_days(folder, files, *, rows=390):
    """Write CSV files of one price column each, of different lengths."""
    folder.mkdir(parents=True)
    for day in range(files):
        text = "\n".join(map(repr, prices(day, rows + 7 * day).round(4).tolist()))
        (folder / f"day{day:03}.csv").write_text(f"price\n{text}\n")


def contents(folder):
    """Return the bytes of each file below a folder by its name, but for what says where the inputs are."""
    return {name: made for name, made in tree(folder).items() if name != "_rpsd/run.json"}
