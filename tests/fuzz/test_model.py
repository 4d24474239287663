"""A model of the contract beside a live server: whatever is submitted, in whatever order, both say the same.

The model is the page `docs/contract.md` in thirty lines: it knows nothing of databases, workers or time.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.fuzz.conftest import fuzzing
from tests.server.live import MANIFESTS, Caller, live_server, manifest, problem_code

VERSIONS = ["2026.11.22", "2026.11.23", "2026.11.23-2", "2026.11.23-10", "2026.11.23-b", "2026.11.24"]
"""From old to new: the date, then no suffix, digits by value, other suffixes (SemVer 2.0.0 section 11)."""
IDS = ["one", "two"]
versions = st.sampled_from(VERSIONS)
whiches = st.integers(0, len(IDS) - 1).map(lambda number: lambda models: list(models.items())[number])


@dataclass
class Model:
    """What the contract says of one manifest id."""

    statuses: dict[str, str] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)
    newest: str | None = None

    @property
    def active(self) -> str | None:
        return next((version for version, status in self.statuses.items() if status == "active"), None)

    def answer_to(self, version: str, content: str) -> int | str:
        """Return 202 for what is taken, 200 for what is known, or the code of the refusal."""
        status = self.statuses.get(version)
        if status not in (None, "rejected"):
            return 200 if self.contents[version] == content else "version-conflict"
        if self.active and VERSIONS.index(version) < VERSIONS.index(self.active):
            return "version-not-newer"
        return 202

    def take(self, version: str, content: str) -> None:
        self.statuses[version], self.contents[version], self.newest = "open", content, version

    def decide(self, version: str, verdict: str) -> None:
        if verdict == "active" and self.active:
            if VERSIONS.index(version) < VERSIONS.index(self.active):
                verdict = "superseded"
            else:
                self.statuses[self.active] = "superseded"
        self.statuses[version] = verdict


class ServerAndModel(RuleBasedStateMachine):
    """Both are told the same, and asked the same."""

    live: Caller
    """One server for all examples: each has ids of its own."""
    examples = itertools.count()

    @initialize()
    def start(self):
        example = next(self.examples)
        self.models = {f"{name}-{example}": Model() for name in IDS}
        # A soak takes longer than the 15 minutes of a token.
        self.live.api.headers["Authorization"] = "Bearer " + self.live.token()

    @rule(which=whiches, version=versions, content=st.sampled_from("ab"))
    def submit(self, which, version, content):
        name, model = which(self.models)
        expected = model.answer_to(version, content)
        answer = self.live.submit(manifest(name, version, note=content, url=f"s3://b/{name}/{content}"), wait=None)
        if isinstance(expected, str):
            assert (answer.status_code, problem_code(answer)) == (409, expected)
            return
        replayed = answer.headers.get("idempotent-replayed") == "true"
        assert replayed == (expected == 200), answer.text
        if not replayed:
            model.take(version, content)
        assert answer.status_code == (202 if model.statuses[version] == "open" else 200)

    @rule(which=whiches, version=versions, verdict=st.sampled_from(["active", "rejected"]))
    def decide(self, which, version, verdict):
        name, model = which(self.models)
        is_open = model.statuses.get(version) == "open"
        answer = self.live.decide(name, version, verdict)
        assert (answer.status_code < 300) == is_open, answer.text
        if is_open:
            model.decide(version, verdict)

    @rule(which=whiches, version=st.one_of(st.none(), versions))
    def ask(self, which, version):
        name, model = which(self.models)
        asked = version or model.newest
        answer = self.live.status(name, version)
        if asked not in model.statuses:
            assert (answer.status_code, problem_code(answer)) == (404, "manifest-not-found")
            return
        submission = answer.json()
        shown = "open" if submission["status"] in ("pending", "validating") else submission["status"]
        assert (submission["version"], shown) == (asked, model.statuses[asked])
        assert (submission["active"] or {}).get("version") == model.active
        again = self.live.api.get(str(answer.url), headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304 or shown == "open"  # which may have begun to be validated meanwhile

    @invariant()
    def the_listing_says_the_same(self):
        known = {name: model for name, model in getattr(self, "models", {}).items() if model.newest}
        items = self._listed() if known else {}
        assert known.keys() <= items.keys()
        for name, model in known.items():
            assert (items[name]["active"] or {}).get("version") == model.active
            assert items[name]["newest"]["version"] == model.newest
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", items[name]["newest"]["digest"])

    def _listed(self) -> dict[str, Any]:
        items, cursor = {}, None
        while True:
            page = self.live.api.get(MANIFESTS, params={"cursor": cursor} if cursor else {}).json()
            items |= {item["manifestId"]: item for item in page["items"]}
            if (cursor := page["next"]) is None:
                return items


def test_server_and_model_say_the_same():
    with live_server(validation="manual") as ServerAndModel.live:
        run_state_machine_as_test(ServerAndModel, settings=fuzzing)
