"""The OpenAPI document: valid, complete, and with examples that are what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import pytest
from fastapi.routing import APIRoute
from schemathesis.specs.openapi.definitions import OPENAPI_31

from samevoice.service.app import create_app
from samevoice.service.options import Options
from samevoice.service.routes import ROUTERS, health

Operation = tuple[str, Mapping[str, Any]]
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
PROBLEM = "application/problem+json"
OPEN = {"health", "readiness"}  # which ask nobody who he is


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document; nothing has to run for it."""
    return create_app(Options(data=str(tmp_path_factory.mktemp("data")))).openapi()


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """Name and description of each operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert method in METHODS
            yield f"{method.upper()} {path}", operation


def schemas(part: Any, where: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All schemas with examples in a part of the document."""
    if isinstance(part, dict):
        if {"example", "examples"} & set(part) and (
            {"type", "anyOf", "properties", "schema", "$ref", "enum"} & set(part)
        ):
            yield where, part
        for name, value in part.items():
            if name not in {"example", "examples"}:
                yield from schemas(value, f"{where}/{name}")
    elif isinstance(part, list):
        for number, value in enumerate(part):
            yield from schemas(value, f"{where}/{number}")


def resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references."""
    while "$ref" in schema:
        target: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    return schema


def with_nulls(document: Mapping[str, Any], schema: Mapping[str, Any], example: Any) -> Any:
    """An example with the nulls that FastAPI leaves out of it."""
    if not isinstance(example, dict):
        return example
    told = {name: resolved(document, one) for name, one in schema.get("properties", {}).items()}
    nulls = {name: None for name, one in told.items() if {"type": "null"} in one.get("anyOf", [])}
    return nulls | {name: with_nulls(document, told.get(name, {}), value) for name, value in example.items()}


def test_it_is_a_valid_document(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    errors = [error.message for error in jsonschema_rs.validator_for(OPENAPI_31).iter_errors(document)]
    assert errors == []


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def walk(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                yield part["$ref"]
            for value in part.values():
                yield from walk(value)
        elif isinstance(part, list):
            for value in part:
                yield from walk(value)

    found = set(walk(document))
    assert found
    for reference in found:
        assert resolved(document, {"$ref": reference})


def test_every_route_is_documented(document: dict[str, Any]) -> None:
    told = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    routers = [("", health.router), *(("/v1", router) for router in ROUTERS)]
    served = {
        (method, prefix + route.path)
        for prefix, router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert told == served
    assert len(told) > 30


def test_every_operation_says_what_it_is(document: dict[str, Any]) -> None:
    names = []
    for where, operation in operations(document):
        names.append(operation["operationId"])
        assert re.fullmatch(r"[a-z][a-z_]+", operation["operationId"]), where
        assert 3 < len(operation["summary"]) < 60, where
        assert operation["summary"][-1] != ".", where
        assert operation["description"].strip(), where
        assert operation["tags"], where
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (where, parameter["name"])
    assert len(names) == len(set(names))


def test_every_operation_tells_its_problems(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        if operation["operationId"] in OPEN:
            continue
        refusals = {code for code in operation["responses"] if code.startswith("4")}
        assert {"401", "403"} <= refusals, where
        for code in operation["responses"]:
            if code.startswith(("4", "5")) and code not in {"416"} and operation["operationId"] != "readiness":
                content = operation["responses"][code]["content"]
                assert set(content) == {PROBLEM}, (where, code)
                example = content[PROBLEM]["example"]
                assert example["status"] == int(code), (where, code)
                assert {"type", "title", "detail", "code"} <= set(example), (where, code)


def test_every_answer_is_shown(document: dict[str, Any]) -> None:
    """By an example of its own, or by one, or words, for every member; a number or a yes speaks for itself."""

    def shown(schema: Mapping[str, Any]) -> bool:
        schema = resolved(document, schema)
        if {"example", "examples", "const", "enum"} & set(schema) or schema.get("type") in {
            "boolean",
            "integer",
            "number",
        }:
            return True
        if "items" in schema:
            return shown(schema["items"])
        if "anyOf" in schema:
            return any(map(shown, schema["anyOf"]))
        properties = schema.get("properties", {})
        return bool(properties) and all("description" in one or shown(one) for one in properties.values())

    missing = []
    for where, operation in operations(document):
        for code, answer in operation["responses"].items():
            media = answer.get("content", {}).get("application/json", {})
            schema = media.get("schema")
            if schema and schema != {"type": "string"} and "example" not in media and not shown(schema):
                missing.append(f"{where} {code}")
    assert missing == []


@pytest.mark.slow
def test_examples_are_what_they_say(document: dict[str, Any]) -> None:
    count = 0
    for where, schema in schemas(document):
        shape = schema.get("schema", schema)
        validator = jsonschema_rs.validator_for({**document, **shape})
        examples = schema.get("examples", [])
        found = [one["value"] for one in examples.values()] if isinstance(examples, dict) else list(examples)
        if "example" in schema:
            found.append(schema["example"])
        for example in found:
            count += 1
            whole = with_nulls(document, resolved(document, shape), example)
            assert [error.message for error in validator.iter_errors(whole)] == [], (where, example)
    assert count > 50


def test_nothing_personal_and_no_secret_in_it(document: dict[str, Any]) -> None:
    text = str(document)
    assert not re.search(r"sv_[a-z0-9]+_[A-Za-z0-9_-]{20,}", text)
    assert "/root" not in text
    assert "/home" not in text
