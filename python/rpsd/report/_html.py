# SPDX-License-Identifier: MIT
"""One page that holds everything: pictures, tables and style, no script, nothing from anywhere else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields as dataclass_fields
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from rpsd._errors import RpsdError
from rpsd._info import build_info
from rpsd._options import Options
from rpsd._schema import fields, shown
from rpsd.report._canvas import literal, shortened, to_svg
from rpsd.report._figures import VINTAGE_SAMPLES, make_figure
from rpsd.report._pareto import MOST_SAMPLES
from rpsd.report._style import STYLE
from rpsd.report._subject import Subject, subject_of

if TYPE_CHECKING:
    from rpsd._result import Report, Result

# Nothing may be loaded and nothing run, whatever a name in the data looks like.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

# Kind of each picture in order, its heading, and what to see in it.
_PICTURES: Final = (
    (
        "series",
        "Before and after",
        "The series, what was removed from it, and its increments. Rows stand side by side whatever the time "
        "between them. Triangles mark samples that lie far outside the picture.",
    ),
    (
        "newest",
        "The end, near by",
        "The last samples, with the band of one standard deviation of the noise about the denoised series: "
        "about two thirds of the original should lie in it.",
    ),
    (
        "guardrails",
        "Guardrails",
        "Each bar tells by how much a check keeps its threshold (to the right) or misses it (to the left), "
        "measured in thresholds and drawn together towards the ends.",
    ),
    (
        "spectrum",
        "Spectrum",
        "Periodogram before and after; white noise is flat at the dashed line. The low band is the one whose "
        "power the guardrail named power compares.",
    ),
    (
        "autocorrelation",
        "Autocorrelation",
        "Innovations of a model that fits lie in the band at 19 of 20 lags. What was removed need not: the "
        "best smoother leaves negative correlation at the first lags.",
    ),
    (
        "multiresolution",
        "Multiresolution",
        "The smooth and the details of the maximal overlap wavelet transform, which add up to the series: at "
        "which periods something was removed. Without bad ticks that were replaced.",
    ),
    (
        "pareto",
        "Smoothness against fidelity",
        "Left is closer to the original, down is smoother. The frontier is what the local level smoother "
        f"reaches over all strengths; nothing lies below it. Of at most the newest {MOST_SAMPLES:,} samples.",
    ),
    (
        "vintages",
        "How far the newest values still move",
        "Each value when it was new, with the band for where it ends, and what it was 30 samples later. Of "
        f"at most the newest {VINTAGE_SAMPLES:,} samples; the last ones are shown.",
    ),
)
_ACTIONS: Final = {
    "denoised": "the series was smoothed",
    "cleaned": "single bad ticks were replaced, the rest is as it was",
    "passthrough": "the series is returned as it is",
    "relaxed": "a guardrail was breached, and the series smoothed less",
}


def to_html(
    results: Mapping[str, Result],
    *,
    title: str = "rpsd report",
    time: npt.NDArray[Any] | None = None,
    zone: str = "",
    notes: Sequence[str] = (),
) -> str:
    """Return a page on the results of one or several series.

    Parameters
    ----------
    results : mapping of str to Result
        By the name of the series, each of one series.
    title : str
        Of the page.
    time : ndarray of datetime64 or numbers, shape (n,), optional
        Time of each row of all of them; that of the index of a pandas object where none is given.
    zone : str
        Time zone of `time`, for the axis.
    notes : sequence of str
        What the reader should know of the data.

    Returns
    -------
    str
        HTML that needs no other file, no network and no script, and heeds prefers-color-scheme.

    Raises
    ------
    ConfigError
        Where matplotlib is missing.
    InputError
        Where a result is of several series, and for values beyond ±1e300.

    Examples
    --------
    >>> import numpy as np, rpsd
    >>> from rpsd.report import to_html
    >>> prices = 100 + np.cumsum(np.random.default_rng(0).normal(size=300))
    >>> page = to_html({"price": rpsd.Denoiser().run(prices)}, title="A walk")
    >>> page.startswith("<!DOCTYPE html>"), "<script" in page
    (True, False)
    """
    pieces = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{_text(title)}</title>",
        f"<style>\n{STYLE}</style>",
        "</head>",
        "<body>",
        "<header>",
        f"<h1>{_text(title)}</h1>",
        f'<p class="quiet">Made by rpsd {_text(build_info()["version"])}.</p>',
        *_notes(notes),
        *(_contents(results) if len(results) > 1 else ()),
        "</header>",
        "<main>",
    ]
    for number, (name, result) in enumerate(results.items(), 1):
        pieces += _section(number, subject_of(result, None, name, time, zone), result)
    pieces += [*_versions(), "</main>", "</body>", "</html>", ""]
    return "\n".join(pieces)


def _section(number: int, subject: Subject, result: Result) -> Iterator[str]:
    """Yield everything about one series."""
    yield f'<section id="series-{number}" aria-labelledby="name-{number}">'
    yield f'<h2 id="name-{number}">{_text(shortened(subject.name, 80))}</h2>'
    if len(subject.name) > 80:
        yield f'<p class="quiet">{_text(subject.name)}</p>'
    yield from _facts(subject, result)
    for kind, heading, caption in _PICTURES:
        yield f"<h3>{heading}</h3>"
        yield "<figure>"
        yield f"<figcaption>{caption}</figcaption>"
        yield _picture(kind, subject, f"s{number}{kind}-", f"{heading}: {_alternative(kind, subject)}")
        yield "</figure>"
    assert subject.report is not None
    yield "<h3>Numbers</h3>"
    yield '<div class="tables">'
    yield from _table("Noise model", ("", "value"), _noise_rows(result))
    yield from _table("What was done", ("", "value"), _action_rows(result))
    yield from _guardrails(subject.report)
    yield "</div>"
    yield from _options(result.options)
    yield "</section>"


def _picture(kind: str, subject: Subject, prefix: str, alternative: str) -> str:
    try:
        figure = make_figure(kind, subject)
    except RpsdError as error:
        return f'<p class="quiet">Not drawn: {_text(str(error))}.</p>'
    svg = to_svg(figure, prefix)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{_text(alternative)}"', 1)
    # A picture that is wider than the screen scrolls by itself, also by the keyboard.
    return f'<div class="picture" tabindex="0" role="group" aria-label="{kind}">{svg}</div>'


def _alternative(kind: str, subject: Subject) -> str:
    """Return in words what a picture shows, for those who do not see it."""
    name = shortened(subject.name, 80)
    if kind == "guardrails":
        assert subject.report is not None
        return "; ".join(f"{check.name} {check.verdict}" for check in subject.report.checks)
    there = subject.x[np.isfinite(subject.x)]
    if not len(there):
        return f"{name}, {len(subject.x):,} samples, all missing"
    spread = f"from {there.min():.6g} to {there.max():.6g}"
    return f"{name}, {len(subject.x):,} samples {spread}, noise sd {_number(subject.noise_sd)}"


def _facts(subject: Subject, result: Result) -> Iterator[str]:
    assert subject.report is not None
    report = subject.report
    verdict = "passed" if report.passed else "breached"
    noise = result.noise
    shown_facts = (
        ("action", str(_one(result.action)), ""),
        ("samples", f"{len(subject.x):,}", ""),
        ("noise sd", _number(subject.noise_sd, digits=3), ""),
        ("noise / step", _number(_one(noise.nsr), digits=3), ""),
        ("predicted gain", _number(_one(noise.predicted_gain_db), " dB", digits=3), ""),
        ("score of 100", _number(report.score, digits=3), ""),
        ("guardrails", verdict, verdict),
    )
    yield '<dl class="facts">'
    for key, value, style in shown_facts:
        yield f'<div><dt>{key}</dt><dd class="{style}">{_text(value)}</dd></div>'
    yield "</dl>"


def _noise_rows(result: Result) -> Iterator[tuple[str, str]]:
    units = {"predicted_gain_db": " dB", "predicted_causal_gain_db": " dB"}
    for field in dataclass_fields(result.noise):
        value = _one(getattr(result.noise, field.name))
        label = field.name.removesuffix("_db").replace("_", " ")
        yield label, value if isinstance(value, str) else _number(value, units.get(field.name, ""))


def _action_rows(result: Result) -> Iterator[tuple[str, str]]:
    action = str(_one(result.action))
    yield "action", f"{action}: {_ACTIONS[action]}" if action in _ACTIONS else action
    if _one(result.strength) < 1:
        yield "strength", f"{_number(float(_one(result.strength)), digits=3)}, for {_one(result.binding)}"
    offline = "none (offline: every value uses the whole series)"
    yield "lookahead", offline if result.lookahead is None else f"{result.lookahead} samples"
    for name in ("warmup", "level", "missing", "sessions"):
        yield name, f"{int(_one(getattr(result, name))):,}"


def _guardrails(report: Report) -> Iterator[str]:
    rows = []
    for check in report.checks:
        bound = f"{'≥' if check.relation == '>=' else '≤'} {check.threshold:g}"
        rows.append((check.name, _number(check.value), bound, check.verdict))
    rows.append(("score", _number(report.score), "of 100", "passed" if report.passed else "breached"))
    yield from _table("Guardrails", ("guardrail", "value", "threshold", "verdict"), rows)


def _options(options: Options) -> Iterator[str]:
    rows = []
    for name, field in fields(Options).items():
        value = getattr(options, name)
        if isinstance(value, np.ndarray):
            rows.append((name, f"mask of {value.shape[-1]:,} samples", shown(field.default)))
        else:
            rows.append((name, shown(value), shown(field.default)))
    yield "<details>"
    yield "<summary>Options: what ran, with every auto but the level's replaced</summary>"
    changed = {name for name, value, default in rows if value != default}
    yield from _table("Options", ("option", "value", "default"), rows, marked=changed)
    yield "</details>"


def _versions() -> Iterator[str]:
    info = build_info()
    packages = info.pop("packages")
    rows = [(key, ", ".join(value) if isinstance(value, list) else str(value)) for key, value in info.items()]
    yield "<details>"
    yield "<summary>Versions</summary>"
    yield from _table("Versions", ("", "value"), [*rows, *packages.items()])
    yield "</details>"


def _table(
    caption: str, head: Sequence[str], rows: Any, *, marked: set[str] | frozenset[str] = frozenset()
) -> Iterator[str]:
    """Yield a table whose first column names its rows; rows that are marked stand out."""
    yield f"<table><caption>{caption}</caption>"
    if head[0]:
        yield "<thead><tr>" + "".join(f'<th scope="col">{cell}</th>' for cell in head) + "</tr></thead>"
    yield "<tbody>"
    for name, *cells in rows:
        style = ' class="set"' if name in marked else ""
        tds = "".join(f"<td{_style(cell)}>{_text(cell)}</td>" for cell in cells)
        yield f'<tr{style}><th scope="row">{_text(name)}</th>{tds}</tr>'
    yield "</tbody></table>"


def _style(cell: str) -> str:
    return f' class="{cell}"' if cell in ("passed", "breached") else ""


def _notes(notes: Sequence[str]) -> Iterator[str]:
    if notes:
        yield "<ul>" + "".join(f"<li>{_text(one)}</li>" for one in notes) + "</ul>"


def _contents(results: Mapping[str, Result]) -> Iterator[str]:
    links = (
        f'<li><a href="#series-{number}">{_text(shortened(name, 60))}</a></li>'
        for number, name in enumerate(results, 1)
    )
    yield f'<nav aria-label="Series"><ul>{"".join(links)}</ul></nav>'


def _one(value: Any) -> Any:
    """Return the value of a lone series, a scalar also where it came as an array of one."""
    return np.ravel(value)[0].item() if isinstance(value, np.ndarray) else value


def _number(value: float, unit: str = "", digits: int = 6) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}g}{unit}".replace("-", "−")


def _text(text: str) -> str:
    return escape(literal(text))
