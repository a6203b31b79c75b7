# SPDX-License-Identifier: MIT
"""The style sheet of a page, light and dark; the names of colours are those of `_canvas.COLOURS`."""

from typing import Final

STYLE: Final = """\
:root {
  color-scheme: light dark;
  --page: #ffffff; --card: #f6f8fa; --ink: #1c2128; --quiet: #59636e; --lines: #c9d1d9;
  --raw: #8b96a3; --denoised: #b3261e; --removed: #1f5f8b; --passed: #1b7f3b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1419; --card: #1a212a; --ink: #e6e9ee; --quiet: #a3aebb; --lines: #3d4651;
    --raw: #8593a3; --denoised: #ff8a80; --removed: #6cb6ff; --passed: #56d37a;
  }
}
@media print {
  :root {
    --page: #ffffff; --card: #ffffff; --ink: #000000; --quiet: #444444; --lines: #cccccc;
    --raw: #8b96a3; --denoised: #b3261e; --removed: #1f5f8b; --passed: #1b7f3b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 66rem;
  background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif;
}
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-top: 1rem; border-top: 1px solid var(--lines); }
h3 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
h1, h2, h3, p, li, td, th, caption, figcaption, dd { overflow-wrap: anywhere; }
.quiet, figcaption, caption { color: var(--quiet); }
a { color: var(--removed); }
a:focus-visible, .picture:focus-visible { outline: 2px solid var(--removed); outline-offset: 2px; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; list-style: none; }
.facts {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 0;
}
.facts div {
  background: var(--card); border: 1px solid var(--lines); border-radius: .5rem; padding: .6rem .8rem;
}
.facts dt { color: var(--quiet); font-size: .85rem; }
.facts dd { margin: 0; font-size: 1.05rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.passed { color: var(--passed); }
.breached { color: var(--denoised); }
figure { margin: 0; }
figcaption { font-size: .9rem; max-width: 50rem; margin: 0 0 .5rem; }
.picture { overflow-x: auto; }
.picture svg { display: block; width: 100%; min-width: 42rem; height: auto; }
.picture svg * { stroke-linejoin: round; stroke-linecap: butt; }
.tables {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.5rem;
  align-items: start;
}
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td {
  text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--lines); vertical-align: top;
}
th { font-weight: 600; }
tbody th { font-weight: 400; }
tr.set th, tr.set td { font-weight: 700; }
details { margin-top: 1.5rem; }
summary { cursor: pointer; font-weight: 600; }
"""
