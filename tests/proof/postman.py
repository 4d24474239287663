"""The Postman collection: openapi-to-postmanv2 makes its outline, and here it gets what makes it run.

Raw, it passes with nearly every request refused and nothing asserted: so token, chained ids, examples and tests are
added, and its random ids replaced. `make postman` writes it; the peer `newman` fails while it is stale.
"""

from __future__ import annotations

import copy
import functools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.proof.peers.linters import readable
from tests.proof.target import ROOT
from tests.proof.verdict import node_tool, run, tail
from tests.server.openapi_document import document, follow, operations

COLLECTION = ROOT / "reinmaker_cli" / "contract" / "reinmaker.postman_collection.json"
VARIABLES = {
    "baseUrl": "http://localhost:7040",
    "clientId": "",
    "clientSecret": "",
    "token": "",
    "traceId": "",
    "manifestId": "",
    "etag": "",
    "userId": "usr_7f3a9c",
    "eventId": "",
}
ORDER = ("issuer", "manifests", "players", "documents", "health")
EXPECTED = {"sendEvents": 202}
"""Where success is not 200."""

GUID = "pm.variables.replaceIn('{{$guid}}')"
NEW_TRACE = f"pm.collectionVariables.set('traceId', 'postman.' + {GUID});"
BEFORE = {
    "submitManifest": f"pm.collectionVariables.set('manifestId', '2026-11-23-postman-' + {GUID});",
    "sendEvents": f"pm.collectionVariables.set('eventId', {GUID});",
}
AFTER = {
    "requestToken": "pm.collectionVariables.set('token', pm.response.json().access_token);",
    "getManifest": "pm.collectionVariables.set('etag', pm.response.headers.get('ETag'));",
}
SENT = "pm.variables.get('manifestId')"
TESTS: dict[str, list[tuple[str, str]]] = {
    "requestToken": [
        ("the token is not kept by caches", "pm.expect(pm.response.headers.get('Cache-Control')).to.eql('no-store');")
    ],
    "submitManifest": [
        ("it is the manifest that was sent", f"pm.expect(pm.response.json().manifestId).to.eql({SENT});"),
        ("it says where to ask", f"pm.expect(pm.response.headers.get('Location')).to.include({SENT});"),
        ("the verdict is active", "pm.expect(pm.response.json().status).to.eql('active');"),
    ],
    "getManifest": [
        ("it has an ETag", "pm.expect(pm.response.headers.get('ETag')).to.match(/^\"/);"),
        ("it is active", "pm.expect(pm.response.json().active.version).to.eql('2026.11.23');"),
    ],
    "listManifests": [("there is one", "pm.expect(pm.response.json().items).to.not.be.empty;")],
    "getEntitlements": [("of this user", "pm.expect(pm.response.json().userId).to.eql(pm.variables.get('userId'));")],
    "sendEvents": [("the event is new", "pm.expect(pm.response.json().accepted).to.eql(1);")],
    "getHealth": [("it is well", "pm.expect(pm.response.json().status).to.be.oneOf(['ok', 'degraded']);")],
}  # fmt: skip


@functools.cache
def build() -> str:
    """Return the collection's text."""
    one = _outline()
    by_id = {operation["operationId"]: (method, operation) for _, method, operation in operations()}
    by_summary = {operation["summary"]: name for name, (_, operation) in by_id.items()}
    folders = {folder["name"]: folder for folder in one["item"]}
    done = []
    for name in ORDER:
        items = [_finished(item, by_summary[item["name"]], by_id) for item in folders[name]["item"]]
        done.append({"name": name, "description": folders[name]["description"], "item": items})
    done.append({"name": "again, and refused", "item": list(_refused(done, by_id))})
    collection = {
        "info": {
            "name": one["info"]["name"],
            "description": "Fill in baseUrl, clientId and clientSecret, and run it from top to bottom.",
            "schema": one["info"]["schema"],
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "variable": [{"key": name, "value": value} for name, value in VARIABLES.items()],
        "event": [_event("prerequest", [NEW_TRACE])],
        "item": done,
    }
    return json.dumps(collection, indent=1, ensure_ascii=False) + "\n"


def _outline() -> dict[str, Any]:
    """Return what the generator makes. It fakes bodies by schemas of draft 4, and fails on a `$schema`."""
    source = readable(document())
    del source["components"]["schemas"]["Manifest"]["$schema"]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "openapi.json").write_text(json.dumps(source, default=str))
        words = [node_tool("openapi2postmanv2"), "-s", "openapi.json", "-o", "out.json", "-O", "folderStrategy=Tags"]
        ended = run(words, env={"PATH": "/usr/bin:/bin:/usr/local/bin"}, cwd=Path(folder))
        if not (Path(folder) / "out.json").exists():
            raise RuntimeError(tail(ended.stdout + ended.stderr))
        return json.loads((Path(folder) / "out.json").read_text())


def _finished(item: dict[str, Any], name: str, by_id: dict[str, Any]) -> dict[str, Any]:
    method, operation = by_id[name]
    request = item["request"]
    status = EXPECTED.get(name, 200)
    url = {"host": request["url"]["host"], "path": [_variable(part) for part in request["url"]["path"]]}
    if request["url"]["query"]:
        url["query"] = [
            {"key": one["key"], "value": _example(operation, one["key"]), "disabled": True}
            for one in request["url"]["query"]
        ]
    made: dict[str, Any] = {
        "method": method.upper(),
        "url": url | {"raw": "{{baseUrl}}/" + "/".join(url["path"])},
        "description": operation["description"],
        "header": list(_headers(operation)),
    }
    security = operation.get("security", document()["security"])
    if name == "requestToken":
        made["auth"] = _basic("{{clientId}}", "{{clientSecret}}")
    elif {} in security or not security:
        made["auth"] = {"type": "noauth"}
    if "requestBody" in operation:
        made |= _body(name, operation)
    return {
        "name": item["name"],
        "event": list(_events(name, operation, status)),
        "request": made,
        "response": list(_responses(operation)),
    }


def _basic(client_id: str, secret: str) -> dict[str, Any]:
    fields = (("username", client_id), ("password", secret))
    return {"type": "basic", "basic": [{"key": key, "value": value, "type": "string"} for key, value in fields]}


def _variable(part: str) -> str:
    return "{{" + part[1:] + "}}" if part.startswith(":") else part


def _parameter(operation: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in map(follow, operation["parameters"]) if one["name"] == name)


def _example(operation: dict[str, Any], name: str) -> str:
    return str(_parameter(operation, name)["example"])


def _headers(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"key": "X-Lesson-Trace-Id", "value": "{{traceId}}"}
    for parameter in map(follow, operation["parameters"]):
        if parameter["in"] == "header" and parameter["name"] not in ("X-Lesson-Trace-Id", "Content-Encoding"):
            is_on = parameter["name"] == "Prefer"
            value = {"If-None-Match": "{{etag}}"}.get(parameter["name"], str(parameter["example"]))
            yield {"key": parameter["name"], "value": value, **({} if is_on else {"disabled": True})}


def _body(name: str, operation: dict[str, Any]) -> dict[str, Any]:
    ((media_type, content),) = operation["requestBody"]["content"].items()
    value = copy.deepcopy(follow(next(iter(content["examples"].values())))["value"])
    if media_type == "application/x-www-form-urlencoded":
        fields = [{"key": key, "value": text} for key, text in value.items() if key != "scope"]
        return {"body": {"mode": "urlencoded", "urlencoded": fields}}
    if name == "submitManifest":
        value["manifestId"] = "{{manifestId}}"
        for asset in value["assets"]:  # what is published under a URL never changes
            asset["url"] = asset["url"].replace("/water-cycle/", "/{{manifestId}}/")
    if name == "sendEvents":
        value["events"] = value["events"][:1]
        value["events"][0]["eventId"] = "{{eventId}}"
    language = {"options": {"raw": {"language": "json"}}}
    return {"body": {"mode": "raw", "raw": json.dumps(value, indent=2, default=str), **language}}


def _events(name: str, operation: dict[str, Any], status: int) -> Iterator[dict[str, Any]]:
    if name in BEFORE:
        yield _event("prerequest", [BEFORE[name]])
    tests = [*_common_tests(operation, status), *TESTS.get(name, ())]
    yield _event("test", [*map(_test, tests), *([AFTER[name]] if name in AFTER else [])])


def _test(one: tuple[str, str]) -> str:
    return f"pm.test({json.dumps(one[0])}, () => {{ {one[1]} }});"


def _event(listen: str, lines: list[str]) -> dict[str, Any]:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": lines}}


def _common_tests(operation: dict[str, Any], status: int) -> Iterator[tuple[str, str]]:
    answer = follow(operation["responses"][str(status)])
    yield f"status {status}", f"pm.response.to.have.status({status});"
    yield (
        "the trace id comes back",
        ("pm.expect(pm.response.headers.get('X-Lesson-Trace-Id')).to.eql(pm.variables.get('traceId'));"),
    )
    for header, spec in answer.get("headers", {}).items():
        if follow(spec).get("required") and header != "X-Lesson-Trace-Id":
            yield f"{header} is there", f"pm.response.to.have.header({json.dumps(header)});"
    for media_type, content in answer.get("content", {}).items():
        yield f"as {media_type}", f"pm.expect(pm.response.headers.get('Content-Type')).to.include('{media_type}');"
        schema = json.dumps(_inlined(content["schema"]), ensure_ascii=False)
        yield "the body fits its schema", f"pm.response.to.have.jsonSchema({schema});"


def _inlined(schema: Any) -> Any:
    """Return a schema with its references followed, and without what only people read."""
    if isinstance(schema, list):
        return [_inlined(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {**follow(schema), **{name: value for name, value in schema.items() if name != "$ref"}}
    # `format` is another thing in each validator; openapi-core looks at it.
    return {
        name: {key: _inlined(value) for key, value in member.items()} if name == "properties" else _inlined(member)
        for name, member in schema.items()
        if name not in ("$id", "$schema", "description", "example", "format")
    }


def _responses(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for status, response in operation["responses"].items():
        answer = follow(response)
        for media_type, content in answer.get("content", {}).items():
            for name, example in content["examples"].items():
                yield {
                    "name": f"{status} {name}",
                    "code": int(status),
                    "header": [{"key": "Content-Type", "value": media_type}],
                    "body": json.dumps(follow(example)["value"], indent=2, default=str),
                }


def _refused(folders: list[dict[str, Any]], by_id: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield requests beyond one for each operation: the same again, without a token, of what is not there."""
    made = {
        next(name for name, (_, operation) in by_id.items() if operation["summary"] == item["name"]): item
        for folder in folders
        for item in folder["item"]
    }

    def again(name: str, title: str, status: int, *tests: tuple[str, str], **changes: Any) -> dict[str, Any]:
        item = copy.deepcopy(made[name])
        item["request"] |= changes
        lines = [_test(one) for one in (*_common_tests(by_id[name][1], status), *tests)]
        return {"name": title, "event": [_event("test", lines)], "request": item["request"], "response": []}

    replayed = (
        "it is the same submission",
        "pm.expect(pm.response.headers.get('Idempotent-Replayed')).to.eql('true');",
    )
    yield again("submitManifest", "Submit the same manifest again", 200, replayed)
    counted = ("it is a duplicate", "pm.expect(pm.response.json().duplicates).to.eql(1);")
    yield again("sendEvents", "Send the same event again", 202, counted)
    headers = [dict(one, disabled=False) for one in made["getManifest"]["request"]["header"] if one["key"] != "Prefer"]
    yield again("getManifest", "Ask with the ETag", 304, header=headers)
    for name in ("submitManifest", "listManifests", "getManifest", "getEntitlements", "sendEvents"):
        code = ("token-missing", "pm.expect(pm.response.json().code).to.eql('token-missing');")
        yield again(name, f"{made[name]['name']}: without a token", 401, code, auth={"type": "noauth"})
    path = ["v1", "content", "manifests", "nobody-sent-this"]
    url = {"host": ["{{baseUrl}}"], "path": path, "raw": "{{baseUrl}}/" + "/".join(path)}
    yield again("getManifest", "A manifest that is not there", 404, url=url)
    empty = {"mode": "raw", "raw": "{}", "options": {"raw": {"language": "json"}}}
    yield again("submitManifest", "A manifest that is none", 422, body=empty)
    yield again("requestToken", "A wrong secret", 401, auth=_basic("{{clientId}}", "wrong"))


def main() -> None:
    """Write the collection."""
    COLLECTION.write_text(build(), encoding="utf-8")


if __name__ == "__main__":
    main()
