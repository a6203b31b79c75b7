# SPDX-License-Identifier: MIT
"""The OpenAPI document against the service it is of, and the page that is made of it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from jobbing import PATH, ended
from openapi_spec_validator import OpenAPIV31SpecValidator
from serving import server

import rpsd
from rpsd import Guardrails, Options
from rpsd._schema import fields
from rpsd.service import _docs, _openapi
from rpsd.service._admin import admin_routes
from rpsd.service._docs import docs_routes
from rpsd.service._health import health_routes
from rpsd.service._problems import CATALOGUE
from rpsd.service._series import ADDRESSES, ENDPOINTS
from rpsd.service._v2 import v2_routes
from rpsd.service.jobs._routes import job_routes
from rpsd.service.streams._routes import stream_routes

__all__ = ["server"]
COPY = Path(__file__).parents[1] / "docs" / "openapi.json"
DOCUMENT = _openapi.document()
X = (100 + rpsd.simulate("a", 60, seed=1, nsr=1.0).noisy).tolist()


def test_the_copy_is_the_document(server):
    # Made anew: python -c 'from rpsd.service._openapi import encoded; print(encoded().decode(), end="")'
    answer = server.ask("GET", "/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == COPY.read_bytes()
    assert json.loads(answer.body) == DOCUMENT


def test_the_document_is_valid():
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_routes_are_those_of_the_document():
    handlers = [
        *health_routes(None),
        *v2_routes(None),
        *stream_routes(None, None),
        *job_routes(None, None),
        *docs_routes(),
        *admin_routes(None),
    ]
    routes = {
        (path.replace(":str", ""), method.lower())
        for handler in handlers
        for path in handler.paths
        for method in handler.http_methods
        if method != "HEAD"
    }
    routes |= {(address.path, "post") for address in ADDRESSES}
    assert routes == {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}


def test_every_address_of_the_document_answers(server):
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            answer = server.ask(method.upper(), path)
            assert str(answer.status) in operation["responses"], path
            assert answer.status != 405
            assert answer.status != 404 or "{id}" in path
            done = next(one for code, one in operation["responses"].items() if code.startswith("2"))
            for name in done["headers"]:
                assert not DOCUMENT["components"]["headers"][name]["required"] or answer.headers[name.lower()]


def test_every_address_tells_its_methods(server):
    for path, methods in DOCUMENT["paths"].items():
        answer = server.ask("OPTIONS", path.replace("{id}", "0" * 32))
        told = (
            {method.upper() for method in methods} | {"OPTIONS"} | ({"HEAD"} if "get" in methods else set())
        )
        assert (answer.status, path) == (204, path)
        if path != "/admin/log-level":  # it has no HEAD
            assert set(answer.headers["allow"].split(", ")) == told, path


def test_headers_of_requests_and_answers_are_there(server):
    """Every one that the service reads, and every one of its own that it sends."""
    denoise = DOCUMENT["paths"]["/v1/denoise"]["post"]
    read = {one["name"] for one in denoise["parameters"] if one["in"] == "header"}
    assert read == {"Cache-Control", "Request-Timeout", "X-Request-ID"}
    answer = server.post(np.array(X).tobytes(), content_type="application/octet-stream")
    told = {name.lower() for name in denoise["responses"]["200"]["headers"]}
    assert {name for name in answer.headers if name.startswith("rpsd-")} | {"rpsd-degraded"} == {
        name for name in told if name.startswith("rpsd-")
    }


def test_every_option_is_there():
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["DenoiseRequest"]["properties"].keys() == {
        "values", "series", "report", "guardrails", *fields(Options)
    }  # fmt: skip
    assert list(schemas["Guardrails"]["properties"]) == list(fields(Guardrails))
    for name, field in fields(Options).items():
        shown = json.dumps(schemas["DenoiseRequest"]["properties"][name])
        assert all(f'"{word}"' in shown for word in field.words), name


def validator(schema):
    return jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def closed(schema):
    """Return a schema under which no object has fields that are not named."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        inner["additionalProperties"] = False
    return inner


ASKED = [
    ("/v1/denoise", {"values": X}),
    ("/v1/denoise", {"values": [None, *X], "report": "metrics", "lookahead": 2, "fir_window": ["kaiser", 8]}),
    ("/v1/denoise", {"series": {"a": X, "b": []}, "report": "none", "breaks": None, "level": 2}),
    ("/v1/denoise", {"values": X, "guardrails": {"policies": {"gain": "warn"}, "policy": "relax"}}),
    ("/v1/noise", {"values": X, "method": "wavelet", "noise": 0.5}),
    ("/v1/noise", {"series": {"a": X}}),
    ("/v1/evaluate", {"x": X, "y": X, "lookahead": None}),
    ("/v1/evaluate", {"series": {"a": {"x": X, "y": X}}, "guardrails": {"rmse_threshold": 1}}),
]


@pytest.mark.parametrize(("path", "content"), ASKED)
def test_what_is_asked_and_answered_is_as_the_document_says(server, path, content):
    operation = DOCUMENT["paths"][path]["post"]
    validator(operation["requestBody"]["content"]["application/json"]["schema"]).validate(content)
    answer = server.post(content, path)
    assert answer.status == 200
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator(
        {**closed(schema), "components": closed(DOCUMENT["components"])}
    ).validate(answer.json)


@pytest.mark.parametrize("path", ["/health", "/health/detailed", "/health/live", "/v2/health/ready"])
def test_health_is_as_the_document_says(server, path):
    content = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]
    validator(closed(content["application/json"]["schema"])).validate(server.ask("GET", path).json)


def test_what_is_asked_and_answered_of_streams_is_as_the_document_says(server):
    closed_components = closed(DOCUMENT["components"])
    schemas = DOCUMENT["components"]["schemas"]

    def ask(method, path, content=None, status="200"):
        operation = DOCUMENT["paths"][path][method]
        if content is not None:
            body = operation["requestBody"]["content"]["application/json"]["schema"]
            validator(body).validate(content)
        answer = server.ask(
            method.upper(), path.replace("{id}", id), None if content is None else json.dumps(content),
            content_type="application/json",
        )  # fmt: skip
        assert str(answer.status) == status, answer.body
        schema = operation["responses"][status]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({**closed(schema), "components": closed_components}).validate(
            answer.json
        )
        return answer.json

    id = ""
    for options in ({"lookahead": 1}, {"series": 2, "on_breach": None}):
        id = ask("post", "/v1/streams", options, "201")["id"]
        values = [X[:5], X[5:10]] if "series" in options else X[:5]
        ask("post", "/v1/streams/{id}/push", {"values": values, "sequence": 1})
        ask("post", "/v1/streams/{id}/new-session", {"sequence": None})
        ask("post", "/v1/streams/{id}/flush")
        ask("get", "/v1/streams/{id}")
        ask("get", "/v1/streams")
    assert schemas["NewStream"]["properties"].keys() == {"series", "on_breach", *fields(Options)}


@pytest.mark.parametrize(
    ("operation", "content"), [("denoise", {"values": X}), ("evaluate", {"x": X, "y": X})]
)
def test_what_is_asked_and_answered_of_jobs_is_as_the_document_says(server, operation, content):
    closed_components = closed(DOCUMENT["components"])

    def check(answer, method, path, status="200"):
        assert str(answer.status) == status, answer.body
        schema = DOCUMENT["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({**closed(schema), "components": closed_components}).validate(
            answer.json
        )
        return answer.json

    body = DOCUMENT["paths"][PATH]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator(body).validate(content)
    answer = server.post(content, f"{PATH}?operation={operation}")
    id = check(answer, "post", PATH, "202")["id"]
    ended(server, id)
    check(server.ask("GET", f"{PATH}/{id}"), "get", f"{PATH}/{{id}}")
    check(server.ask("GET", PATH), "get", PATH)
    check(server.ask("GET", f"{PATH}/{id}/result"), "get", f"{PATH}/{{id}}/result")


REFUSED = [
    ("/v1/denoise", {"values": ["1"]}),
    ("/v1/denoise", {"values": X, "series": {}}),
    ("/v1/denoise", {}),
    ("/v1/denoise", {"values": X, "level": -1}),
    ("/v1/denoise", {"values": X, "level": 65}),
    ("/v1/denoise", {"values": X, "fir_cutoff": 1}),
    ("/v1/denoise", {"values": X, "breaks": "yes"}),
    ("/v1/denoise", {"values": X, "levle": 1}),
    ("/v1/denoise", {"values": X, "report": "all"}),
    ("/v1/denoise", {"values": X, "guardrails": {"lag": 1}}),
    ("/v1/evaluate", {"x": X}),
    ("/v1/evaluate", {"x": X, "y": X, "series": {}}),
    ("/v1/evaluate", {"series": {"a": {"x": X}}}),
    ("/v1/evaluate", {"x": X, "y": X, "lookahead": "1"}),
]


@pytest.mark.parametrize(("path", "content"), REFUSED)
def test_what_the_document_refuses_the_service_refuses(server, path, content):
    operation = DOCUMENT["paths"][path]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert not validator(schema).is_valid(content)
    answer = server.post(content, path)
    assert answer.status == 422
    refusal = DOCUMENT["components"]["responses"]["422"]["content"]["application/problem+json"]["schema"]
    validator(refusal).validate(answer.json)


def test_every_problem_is_in_the_document():
    found = {
        problem
        for answer in DOCUMENT["components"]["responses"].values()
        for content in answer["content"].values()
        for problem in content["schema"]["allOf"][1]["properties"]["type"]["enum"]
    }
    assert found == {f"urn:rpsd:problem:{name}" for name in CATALOGUE}


def test_options_in_the_address_are_taken_as_the_document_says(server):
    """Every one with a value that its schema allows, alone, as the text of an address."""
    x = np.array(X).tobytes()
    for endpoint in ENDPOINTS:
        for one in DOCUMENT["paths"][endpoint.path]["post"]["parameters"]:
            if one["in"] != "query":
                continue
            value = WORDS.get(one["name"]) or example(one["schema"])
            body = x + x if one["name"] == "series" or endpoint.operation == "evaluate" else x
            answer = server.post(
                body,
                f"{endpoint.path}?{one['name']}={value}",
                content_type="application/octet-stream",
                accept="application/json",
            )
            assert answer.status == 200, (one["name"], value, answer.body)


WORDS = {"wavelet": "haar", "fir_window": "hann", "guardrails.policies": "gain=warn"}


def example(schema):
    schema = schema.get("anyOf", [schema])[-1]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "boolean":
        return "true"
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 0.5)
    return max(2, least) if schema.get("type") == "integer" else least


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.links, self.text = [], set(), set(), ""

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        if "id" in given:
            assert given["id"] not in self.ids
            self.ids.add(given["id"])
        if "href" in given:
            self.links.add(given["href"])

    def handle_data(self, data):
        self.text += data


def test_the_page_has_all_and_needs_nothing(server):
    answer = server.ask("GET", "/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")
    assert answer.body == _docs.page()
    source = answer.body.decode()
    page = Page()
    page.feed(source)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    assert not re.search(r"url\(|@import|//(?!localhost)[a-z]", source)
    assert page.links - {"/openapi.json"} == {f"#{name}" for name in page.ids if f"#{name}" in page.links}
    for part in (*DOCUMENT["paths"], *DOCUMENT["components"]["schemas"], *fields(Options), *CATALOGUE):
        assert part in page.text


def test_curl_of_the_page_works(server):
    """Run what the page says to type, but for the shell."""
    page = Page()
    page.feed(_docs.page().decode())
    said = re.findall(r"curl http://localhost:8000(\S+) -H 'Content-Type: (\S+)' \\\n  -d '(.*)'", page.text)
    assert {path for path, _, _ in said} == {address.path for address in ADDRESSES}
    for path, content_type, body in said:
        assert server.post(body.encode(), path, content_type=content_type).status == 200
