# SPDX-License-Identifier: MIT
"""/openapi.json, and /docs: the document as a page that needs no script and nothing from anywhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from typing import Any, Final

from litestar import HttpMethod, MediaType, Request, Response, route
from litestar.handlers import HTTPRouteHandler

from rpsd.report._style import STYLE
from rpsd.service import _media, _openapi
from rpsd.service._observe import seen
from rpsd.service._problems import CATALOGUE
from rpsd.service._versions import INFER

_READ: Final = (HttpMethod.GET, HttpMethod.HEAD)
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_STYLE: Final = """\
.path { font-family: ui-monospace, Menlo, Consolas, monospace; }
.method {
  display: inline-block; min-width: 3.4em; padding: 0 .4em; margin-right: .5em; text-align: center;
  border: 1px solid currentColor; border-radius: .3rem; font-size: .8em; color: var(--removed);
}
.method.post { color: var(--passed); }
pre {
  background: var(--card); border: 1px solid var(--lines); border-radius: .5rem;
  padding: .75rem; overflow-x: auto;
}
code { font: .9em/1.5 ui-monospace, Menlo, Consolas, monospace; }
.wide { overflow-x: auto; }
.wide tbody th { white-space: nowrap; padding-right: 1.25rem; width: 1%; }
.wide td { overflow-wrap: break-word; }
td code, th code { overflow-wrap: anywhere; }
"""
_EXAMPLES: Final = {
    "/v1/denoise": '{"values": [100.1, 100.3, null, 100.2], "lookahead": 0}',
    "/v1/noise": '{"series": {"a": [100.1, 100.3, 100.2], "b": [5, 6, null]}}',
    "/v1/evaluate": '{"x": [100.1, 100.3, 100.2], "y": [100.15, 100.2, 100.2]}',
    INFER: '{"inputs": [{"name": "values", "datatype": "FP64", "shape": [3], "data": [100.1, 100.3, 100]}]}',
}


def docs_routes(*, asks: bool = False) -> list[HTTPRouteHandler]:
    """Return the handlers of the document and its page; asks is whether credentials are asked for."""

    @route("/openapi.json", http_method=_READ)
    async def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
        _note(request, "/openapi.json")
        return Response(_openapi.encoded(asks=asks), media_type=_media.JSON)

    @route("/docs", http_method=_READ)
    async def docs(request: Request[Any, Any, Any]) -> Response[bytes]:
        _note(request, "/docs")
        headers = {"content-security-policy": _POLICY, "x-content-type-options": "nosniff"}
        return Response(page(), media_type=MediaType.HTML, headers=headers)

    return [openapi, docs]


def _note(request: Request[Any, Any, Any], path: str) -> None:
    here = seen(request.scope)
    here.route, here.operation = path, "docs"


@cache
def page() -> bytes:
    """Return the page."""
    return "\n".join(_page(_openapi.document())).encode()


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    info, paths = document["info"], document["paths"]
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{_text(info['title'])} {_text(info['version'])}: HTTP interface</title>"
    yield f"<style>\n{STYLE}{_STYLE}</style>\n</head>\n<body>\n<main>"
    yield f"<h1>{_text(info['title'])} {_text(info['version'])}: HTTP interface</h1>"
    yield f"<p>{_text(info['summary'])} {_text(info['description'])}</p>"
    yield '<p><a href="/openapi.json">openapi.json</a>: this page for programs, OpenAPI 3.1.</p>'
    places = [*(tag["name"] for tag in document["tags"]), "bodies", "errors"]
    links = "".join(f'<li><a href="#{place}">{place.capitalize()}</a></li>' for place in places)
    yield f'<nav aria-label="Sections"><ul>{links}</ul></nav>'
    for tag in document["tags"]:
        yield f'<h2 id="{tag["name"]}">{_text(tag["name"].capitalize())}</h2>'
        yield f'<p class="quiet">{_text(tag["description"])}</p>'
        mine = [
            (path, method, operation)
            for path, methods in paths.items()
            for method, operation in methods.items()
            if tag["name"] in operation["tags"]
        ]
        for path, method, operation in mine:
            if path in _EXAMPLES:
                yield from _operation(path, method, operation)
        table = [
            (_code(path if method == "get" else f"{method.upper()} {path}"), _text(one["summary"]))
            for path, method, one in mine
            if path not in _EXAMPLES
        ]
        if table:
            yield from _table(("address", "meaning"), table)
    yield '<h2 id="bodies">Bodies</h2>'
    for name, schema in document["components"]["schemas"].items():
        yield from _schema(name, schema)
    yield '<h2 id="errors">Errors</h2>'
    rows = [
        (_code(f"urn:rpsd:problem:{name}"), f"{entry.status}", _text(entry.title))
        for name, entry in CATALOGUE.items()
    ]
    yield from _table(("type", "status", "title"), rows)
    yield "</main>\n</body>\n</html>\n"


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h3 id="{operation["operationId"]}"><span class="method {method}">{method.upper()}</span>'
    yield f'<span class="path">{_text(path)}</span></h3>'
    yield f"<p>{_text(operation['summary'])}{' Deprecated.' if operation.get('deprecated') else ''}</p>"
    yield (
        f"<pre><code>curl http://localhost:8000{_text(path)} -H 'Content-Type: application/json' \\\n"
        f"  -d '{_text(_EXAMPLES[path])}'</code></pre>"
    )
    done = operation["responses"]["200"]["content"]
    rows = [
        (_code(name), _body(content), _body(done[name]) if name in done else "as JSON")
        for name, content in operation["requestBody"]["content"].items()
    ]
    yield from _table(("media type", "body", "answer"), rows)
    header = ' <span class="quiet">header</span>'
    parameters = [
        (
            _code(one["name"]) + header * (one["in"] == "header"),
            _type(one["schema"]),
            _text(one["description"]),
        )
        for one in operation["parameters"]
    ]
    yield "<details><summary>Headers, and options in the address for bodies without room for them</summary>"
    yield from _table(("name", "allowed", "meaning"), parameters)
    yield "</details>"


def _body(content: Mapping[str, Any]) -> str:
    schema = content["schema"]
    return _text(schema["description"]) if "contentMediaType" in schema else _type(schema)


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h3 id="schema-{name}"><span class="path">{_text(name)}</span></h3>'
    yield f"<p>{_text(schema.get('description', ''))}</p>"
    required = schema.get("required", schema["properties"])
    optional = ' <span class="quiet">optional</span>'
    rows = [
        (_code(key) + optional * (key not in required), _type(one), _text(one.get("description", "")))
        for key, one in schema["properties"].items()
    ]
    yield from _table(("field", "type", "meaning"), rows)


def _type(schema: Mapping[str, Any]) -> str:
    """Return in words what a schema allows."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{name}">{_text(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(_code(json.dumps(word)) for word in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return "list" + (f" of {_type(schema['items'])}" if "items" in schema else "")
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"mapping of names to {_type(schema['additionalProperties'])}"
    if kind == "object" and "properties" in schema:
        inside = ", ".join(f"{_code(key)}: {_type(one)}" for key, one in schema["properties"].items())
        return f"{{{inside}}}"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[key]}" for key, sign in signs.items() if key in schema]
    return _text(f"{kind} {', '.join(bounds)}".strip())


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield '<div class="wide"><table><thead><tr>'
    yield "".join(f'<th scope="col">{title}</th>' for title in head) + "</tr></thead><tbody>"
    for first, *others in rows:
        yield f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in others) + "</tr>"
    yield "</tbody></table></div>"


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _text(text: str) -> str:
    return escape(text, quote=False)
