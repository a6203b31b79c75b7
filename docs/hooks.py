# SPDX-License-Identifier: MIT
"""What MkDocs has to be told of this repository; mkdocs.yml names it.

Pages link to files beyond docs/ as they lie in the repository, so that links work where it is browsed.
The site has these files under project/: pages as pages, others as what is in them.
"""

import logging
import os
import re
from pathlib import Path

from mkdocs.structure.files import File, InclusionLevel

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
#: A link or a picture: everything before the target, the target, and its anchor.
LINK = re.compile(r"(\]\()([^)#\s:]+)(#[^)\s]*)?(?=\))")
#: What a browser fetches by itself.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*?\ssrc=["']?(?:https?:)?//[^\s>]+"""
    r"""|<link\b(?![^>]*rel=["']?canonical)[^>]*?\shref=["']?(?:https?:)?//[^\s>]+"""
    r"""|@import[^;]*//[^;]+|url\(["']?(?:https?:)?//[^)]+"""
)
log = logging.getLogger("mkdocs.hooks.rpsd")


def on_config(config):
    """Put the pages of a folder in the place of the folder."""
    config.nav = [_expanded(item) for item in config.nav]
    return config


def _expanded(item):
    """Return an entry of the navigation with its folders as lists of their pages."""
    ((title, target),) = item.items()
    if isinstance(target, list):
        return {title: [_expanded(below) for below in target]}
    if not target.endswith("/"):
        return item
    index = (DOCS / target / "index.md").read_text("utf-8")
    linked = re.findall(r"^\| \[([^]]+)\]\((\w[\w-]*\.md)\)", index, re.M)
    # A number says less than the title of the page.
    pages = [target + page if name.isdigit() else {name: target + page} for name, page in linked]
    return {title: [target + "index.md", *pages]}


def on_files(files, config):
    """Add what lies beyond docs/ and is linked to, or in the navigation."""
    named = re.findall(r"'project/([^']+)'", str(config.nav))
    waiting = [ROOT / name for name in named]
    waiting += [target for page in DOCS.rglob("*.md") for target in _beyond(page)]
    while waiting:
        path = waiting.pop()
        name = _place(path)
        if files.get_file_from_path(name) is None:
            text = _text(path)
            files.append(File.generated(config, name, content=text, inclusion=InclusionLevel.NOT_IN_NAV))
            if path.suffix == ".md" or path.is_dir():
                waiting += _beyond(path, text)
    return files


def on_page_markdown(markdown, page, config, files):
    """Have links go where the files are on the site."""
    here = page.file.src_uri
    source = _origin(here)

    def moved(match):
        target = _target(source, match[2])
        if target is None:
            return match[0]
        link = os.path.relpath(_place(target), os.path.dirname(here) or ".").replace(os.sep, "/")
        return f"{match[1]}{link}{match[3] or ''}"

    return LINK.sub(moved, markdown)


def on_post_page(output, page, config):
    """Refuse a page that fetches anything from elsewhere."""
    for found in FETCHED.findall(output):
        log.warning("%s fetches from outside: %s", page.file.src_uri, found)
    return output


def _beyond(page, text=None):
    """Return what a page links to beyond docs/."""
    text = page.read_text("utf-8") if text is None else text
    targets = {_target(page, match[2]) for match in LINK.finditer(text)}
    return [target for target in targets if target and not target.is_relative_to(DOCS)]


def _target(source, link):
    """Return the file of the repository that a link of a file leads to, or None."""
    folder = source if source.is_dir() else source.parent
    path = Path(os.path.normpath(folder / link))
    return path if path.is_relative_to(ROOT) and path.exists() else None


def _place(path):
    """Return where a file of the repository is on the site."""
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    name = f"project/{path.relative_to(ROOT).as_posix()}"
    if path.is_dir():
        return f"{name}/index.md"
    return name if path.suffix == ".md" else f"{name}.md"


def _origin(place):
    """Return the file of the repository that is at a place of the site."""
    if not place.startswith("project/"):
        return DOCS / place
    path = ROOT / place.removeprefix("project/")
    if path.name == "index.md" and not path.exists():
        return path.parent
    return path if path.exists() else path.with_suffix("")


def _text(path):
    """Return the page that shows a file or a folder."""
    name = path.relative_to(ROOT).as_posix()
    if path.is_dir():
        inside = sorted(below.relative_to(path).as_posix() for below in path.rglob("*") if below.is_file())
        return "\n".join([f"# {name}", "", *(f"- [{below}]({below})" for below in inside), ""])
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        return text
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`+", text))])
    return f"# {name}\n\n{fence}{path.suffix[1:]}\n{text}\n{fence}\n"
