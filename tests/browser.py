# SPDX-License-Identifier: MIT
"""What the tests of pages share: Debian's chromium, headless, and a probe that tells how a page looks."""

import json
import re
import subprocess
from html import escape, unescape

import numpy as np

# Written into the page after it is laid out, and read from what the browser prints.
PROBE = """
<script>
console.error("the probe speaks");
const opaque = (e) => {
  for (; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor;
    if (!colour.endsWith(", 0)")) return colour;
  }
};
const pairs = new Set(), overlaps = [];
for (const details of document.querySelectorAll("details")) details.open = true;
for (const e of document.querySelectorAll("body *")) {
  const text = [...e.childNodes].some((n) => n.nodeType == 3 && n.data.trim());
  if (text && !["SCRIPT", "STYLE"].includes(e.tagName)) {
    const style = getComputedStyle(e), inside = e.closest("svg");
    pairs.add((inside ? style.fill : style.color) + " on " + opaque(e));
  }
}
for (const svg of document.querySelectorAll("svg")) {
  const texts = [...svg.querySelectorAll("text")].map((e) => [e.textContent, e.getBoundingClientRect()]);
  texts.forEach(([a, p], i) => texts.slice(i + 1).forEach(([b, q]) => {
    if (p.left + 2 < q.right && q.left + 2 < p.right && p.top + 4 < q.bottom && q.top + 4 < p.bottom)
      overlaps.push([a, b]);
  }));
}
const root = getComputedStyle(document.documentElement);
const pre = document.createElement("pre");
pre.id = "probe";
pre.textContent = JSON.stringify({
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
  inner: innerWidth,
  scroll: document.documentElement.scrollWidth,
  pictures: document.querySelectorAll("svg").length,
  pairs: [...pairs],
  overlaps,
  lines: ["--raw", "--denoised", "--removed", "--passed"].map((name) => root.getPropertyValue(name).trim()),
  page: root.getPropertyValue("--page").trim(),
});
document.body.append(pre);
</script>
"""
# No window is as narrow as a telephone, but a frame may be; its theme is that of the page around it.
FRAME = """\
<!DOCTYPE html>
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<pre id="seen"></pre>
<script>
function read(frame) {{
  document.getElementById("seen").textContent = frame.contentDocument.getElementById("probe").textContent;
}}
</script>
<iframe style="border: 0; width: {width}px; height: 900px" srcdoc="{page}" onload="read(this)"></iframe>
"""


def chromium(tmp_path, dark, width, *arguments):
    """Run the browser once; its console is in what it prints as errors."""
    run = subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            f"--window-size={width},900",
            *arguments,
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
        timeout=300,
    )
    return run.stdout, [line for line in run.stderr.splitlines() if "CONSOLE" in line]


def luminance(colour):
    """Return the relative luminance of WCAG 2."""
    if colour.startswith("#"):
        channels = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    else:
        channels = [float(part) for part in re.findall(r"[\d.]+", colour)][:3]
    linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def probed(page, tmp_path, dark, width):
    """Return what the probe sees of a page in a frame of that width; the page itself must not complain."""
    # The probe is a script, which the page itself refuses.
    probed = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    framed = FRAME.format(width=width, page=escape(probed.replace("</body>", f"{PROBE}</body>")))
    (tmp_path / "frame.html").write_text(framed, encoding="utf-8")
    out, console = chromium(tmp_path, dark, 1400, "--dump-dom", f"file://{tmp_path}/frame.html")
    assert len(console) == 1
    assert "the probe speaks" in console[0]
    return json.loads(unescape(re.search(r'<pre id="seen">(.*?)</pre>', out, re.DOTALL)[1]))
