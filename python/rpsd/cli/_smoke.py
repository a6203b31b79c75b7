# SPDX-License-Identifier: MIT
"""`rpsd smoke`: whether a running service works."""

from __future__ import annotations

import contextlib

import click

from rpsd.cli._show import console, print_json, table
from rpsd.service._client import Client, given_key
from rpsd.service._smoke import smoke as checks


@click.command()
@click.argument("url", metavar="URL")
@click.option("--metrics-url", metavar="URL", help="Where health and metrics are, if elsewhere.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=10.0, show_default=True,
    help="Seconds to wait for each answer.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def smoke(url: str, metrics_url: str | None, timeout: float, as_json: bool) -> int:
    """Check the service at URL: health, metrics, and known numbers through each media type.

    Needs none of the server's packages. An API key is in the file that RPSD_API_KEY_FILE names, or in
    RPSD_API_KEY. The exit code is 1 where a check fails.
    """
    with contextlib.ExitStack() as stack:
        key = given_key()
        api = stack.enter_context(Client(url, timeout, key))
        metrics = stack.enter_context(Client(metrics_url or url, timeout, key))
        findings = list(checks(api, metrics))
    good = all(finding.verdict != "fail" for finding in findings)
    if as_json:
        rows = [{**finding._asdict(), "seconds": round(finding.seconds, 6)} for finding in findings]
        print_json({"url": url, "passed": good, "checks": rows})
    else:
        shown = table("check", "verdict", "ms", "found")
        shown.columns[3].justify = "left"
        for finding in findings:
            shown.add_row(finding.check, finding.verdict, f"{1000 * finding.seconds:.1f}", finding.text)
        console(stderr=False).print(shown)
    return 0 if good else 1
