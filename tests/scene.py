"""A local server in the middle of a working day: what the inspector is looked at with, in tests and in its pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reinmaker_cli.server.clock import VirtualClock, unix_time
from tests.lessons import mp3, png
from tests.server.live import Caller, event, live_server
from tests.server.receiver import OK, Received, Receiver, answer, receiver

MORNING = unix_time("2027-01-11T09:00:00Z")
HOOKS = "/_local/webhooks"
BUCKET = "s3://lotd-reinmaker-assets"
REJECTED, ACTIVE, HOSTILE = "2027-01-11-rainbow-fr-FR-6-12", "2027-01-11-water-cycle-en-US-2-5", "hostile"
USER = "usr_7f3a9c"
ATTACK = "document.documentElement.dataset.hacked = 1"
HOSTILE_PATH = "%3Cscript%3E&quot;;alert(1)//"
ATTACKS = (
    f"<script>{ATTACK}</script>",
    f"<img src=x onerror='{ATTACK}'>",
    f"\"'><svg onload={ATTACK.replace(' ', '')}>",
    f"javascript:{ATTACK}",
    "</code></td></table><h1>not ours</h1>",
    "&lt;b&gt; \u202egnp.exe",
)


@dataclass(frozen=True)
class Scene:
    """The server, and where its events go."""

    caller: Caller
    silent: Receiver
    """Answers 503 to six POSTs of an event, and takes the next: it is back when its dead letter is redriven."""

    @property
    def url(self) -> str:
        return self.caller.started.url

    @property
    def control_token(self) -> str:
        return self.caller.started.client.control_token


@contextmanager
def working_day(folder: Path) -> Iterator[Scene]:
    """Yield a server with manifests, one of them rejected, deliveries of every kind, faults, and some requests."""
    clock = VirtualClock(MORNING)
    with live_server(clock=clock, limits="contract") as caller, receiver() as good, receiver() as silent:
        silent.respond = lambda received, _connection: _comes_back(received, silent)
        _publish(caller, ACTIVE, folder / "water", versions=("2027.01.04", "2027.01.11"))
        _publish(caller, "2027-01-11-water-cycle-es-ES-2-5", folder / "spanish", versions=("2027.01.11",))
        _publish(caller, REJECTED, folder / "rainbow", versions=("2027.01.11",), spoilt=True)
        for url in (good.url + "/hooks/reinmaker", silent.url + "/backend/events?key=not-shown"):
            caller.control.post(HOOKS + "/endpoints", json={"url": url, "types": []}).raise_for_status()
        _give_plan(caller)
        advance(caller, 8 * 3600)
        caller.control.post(
            "/_local/request-content", json={"phaseDNAId": "rainbow", "locale": "fr-FR", "agePersona": "6-12"}
        ).raise_for_status()
        advance(caller, 200)
        _renew_token(caller)
        caller.control.post(
            "/_local/faults", json={"kind": "limited", "match": {"operation": "sendEvents"}, "times": 2}
        ).raise_for_status()
        for path in ("/v1/content/manifests", "/v1/health", "/v1/content/manifests/nobody-knows-it"):
            caller.api.get(path)
        caller.http.get("/v1/content/manifests")
        caller.send([event()])  # told to wait, by the fault
        _publish(caller, "2027-01-11-water-cycle-fr-FR-2-5", folder / "french", versions=("2027.01.11",))
        advance(caller, 0)
        yield Scene(caller, silent)


def hostile_day(caller: Caller) -> None:
    """Put what may harm a page wherever somebody may write something."""
    assets = [
        asset(attack, b"bytes", f"{BUCKET}/'{number}'/{HOSTILE_PATH}", {attack: attack, "more": [attack]})
        for number, attack in enumerate(ATTACKS)
    ]
    document = manifest(HOSTILE, "2027.01.11", assets)
    submitted = caller.submit(document | {"source": document["source"] | {"phaseDNAId": ATTACKS[0]}})
    assert submitted.json()["status"] == "rejected", submitted.text
    for attack in ATTACKS:
        caller.control.post("/_local/clients", json={"name": attack}).raise_for_status()
        fault = {"kind": "failure", "match": {"path": attack}, "times": None}
        caller.control.post("/_local/faults", json=fault).raise_for_status()
        url = f"http://127.0.0.1:9/{attack.replace(' ', '')}"
        caller.control.post(HOOKS + "/endpoints", json={"url": url, "types": []})
    data = {"userId": ATTACKS[0], "productTier": "reinmaker.game_pass", "status": "active"}
    caller.control.post(
        HOOKS + "/trigger", json={"type": "reinmaker.entitlement.updated", "data": data}
    ).raise_for_status()
    advance(caller, 8 * 3600)
    _renew_token(caller)


def asset(name: str, content: bytes, url: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return an asset of a manifest."""
    return {
        "id": name,
        "type": "audio" if url.endswith(".mp3") else "overlay",
        "url": url,
        "hash": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "metadata": dict(metadata),
    }


def manifest(manifest_id: str, version: str, assets: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a manifest of these assets."""
    source = {"phaseDNAId": "rainbow", "locale": "fr-FR", "agePersona": "6-12"}
    return {
        "manifestId": manifest_id,
        "version": version,
        "product": "curious_kelly",
        "source": source,
        "assets": assets,
    }


def advance(caller: Caller, seconds: float) -> None:
    """Move the clock: what is due by then was attempted when this returns."""
    caller.control.post("/_local/clock", json={"advanceSeconds": seconds}).raise_for_status()


def lesson(manifest_id: str, folder: Path, version: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Write the files of a lesson; return its manifest, and where the bytes of each URL lie."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"{phase}.mp3": mp3(f"{manifest_id} {version} {phase}", 40) for phase in ("welcome", "main", "wisdom")}
    files |= {f"overlay-{name}.png": png(f"{manifest_id} {name}", width=64, height=36) for name in ("cloud", "rain")}
    assets, places = [], {}
    for name, content in files.items():
        (folder / name).write_bytes(content)
        stem, _, ending = name.partition(".")
        url = f"{BUCKET}/{manifest_id}/{stem}.{hashlib.sha256(content).hexdigest()[:8]}.{ending}"
        metadata = (
            {"format": "png", "resolution": "64x36"} if ending == "png" else {"format": "mp3", "durationMs": 1045}
        )
        assets.append(asset(f"{stem}-{ending}", content, url, metadata))
        places[url] = name
    return manifest(manifest_id, version, assets), places


def _publish(
    caller: Caller, manifest_id: str, folder: Path, versions: tuple[str, ...], *, spoilt: bool = False
) -> None:
    for version in versions:
        document, places = lesson(manifest_id, folder / version, version)
        registered = {"manifestId": manifest_id, "version": version, "root": str(folder / version), "files": places}
        caller.control.post("/_local/sources", json=registered).raise_for_status()
        if spoilt:
            _spoil(folder / version)
        status = caller.submit(document).json()["status"]
        assert status == ("rejected" if spoilt else "active"), status


def _spoil(folder: Path) -> None:
    (folder / "welcome.mp3").write_bytes(mp3("exported again", 41))
    (folder / "overlay-rain.png").unlink()
    content = bytearray((folder / "wisdom.mp3").read_bytes())
    content[-1] ^= 1
    (folder / "wisdom.mp3").write_bytes(content)


def _renew_token(caller: Caller) -> None:
    """Get a token for after the clock was moved."""
    caller.api.headers["Authorization"] = f"Bearer {caller.token()}"


def _comes_back(received: Received, silent: Receiver) -> bytes:
    return OK if sum(one.id == received.id for one in silent.received) > 6 else answer(503)


def _give_plan(caller: Caller) -> None:
    plan = {"userId": USER, "plan": "reinmaker.game_pass", "expiresAt": "2028-01-11T09:00:00Z"}
    caller.control.put("/_local/entitlements", json=plan).raise_for_status()
