"""Mistakes that only the server can see, and questions that nobody answered."""

from __future__ import annotations

import json

from tests.cli.folders import wav
from tests.trial.world import World


def change(world: World) -> None:
    (world.work / "lesson" / "hello-fr.wav").write_bytes(wav(level=99))


def test_version_taken(world: World) -> None:
    """A version that exists with other content."""
    with world.server():
        world.ready("reinmaker build lesson --only locale=fr-FR -o fr.json", "reinmaker publish fr.json --root lesson")
        change(world)
        world.ready("reinmaker build lesson --only locale=fr-FR -o fr.json")
        world.mistake("reinmaker publish fr.json --root lesson", code="version-conflict")
        world.cure(again=False)


def test_version_too_old(world: World) -> None:
    """A version older than the active one."""
    with world.server():
        world.ready("reinmaker publish lesson", "reinmaker build lesson --only locale=fr-FR -o fr.json")
        version = world.run("reinmaker status tiny-fr-FR --json").document["results"][0]["version"]
        world.edit("fr.json", version, "2020.01.01")
        world.mistake("reinmaker publish fr.json --root lesson", code="version-not-newer")
        world.cure(again=False)


def test_drift(world: World) -> None:
    """A folder that changed after the review."""
    with world.server():
        world.ready("reinmaker build lesson --only locale=fr-FR -o fr.json")
        change(world)
        world.mistake("reinmaker publish fr.json --root lesson", code="drift")
        world.cure()


def test_same_url(world: World) -> None:
    """A changed file under a URL that was published."""
    with world.server():
        world.edit("lesson/reinmaker.toml", "{stem}.{sha256:8}{ext}", "{stem}{ext}")
        world.ready("reinmaker publish lesson")
        change(world)
        world.mistake("reinmaker publish lesson --only locale=fr-FR", code="asset-immutable")
        world.not_cured("the template is yours to edit")


def test_bytes_out_of_reach(world: World) -> None:
    """Assets that lie nowhere the server can read."""
    with world.server(verify="strict"):
        world.ready("reinmaker build lesson --only locale=fr-FR -o fr.json")
        world.mistake("reinmaker publish fr.json", code="asset-unverified")
        world.not_cured("where the files lie was never said")


def test_nobody_to_say_yes(world: World) -> None:
    """A question, and nobody there to answer."""
    with world.server():
        world.ready("reinmaker publish lesson")
        (world.work / "lesson" / "bye-fr.wav").unlink()
        world.mistake("reinmaker publish lesson --no-input", code="confirmation-needed")
        world.cure(number=1, again=False)


def test_out_of_time(world: World) -> None:
    """A verdict that did not come in time."""
    with world.server(validation="manual"):
        world.mistake("reinmaker publish lesson --timeout 1 --only locale=fr-FR", code="out-of-time", in_time=False)
        (row,) = json.loads(world.run("reinmaker status tiny-fr-FR --json").out)["results"]
        world.ready(f"reinmaker local decide tiny-fr-FR {row['version']} active")
        world.cure()


def test_personal_data(world: World) -> None:
    """An event that says who plays."""
    event = '{"eventId": "1", "type": "lesson.started", "occurredAt": "2026-01-01T10:00:00Z", "childName": "Ada"}'
    (world.work / "events.jsonl").write_text(f"{event}\n")
    with world.server():
        world.mistake("reinmaker telemetry send events.jsonl", code="personal-data")
        world.not_cured("it has to be left out where the events are made")


def test_webhook_secret_forgotten(world: World) -> None:
    """A captured webhook, and no secret to verify it with."""
    (world.work / "request.txt").write_text("webhook-id: 1\nwebhook-timestamp: 1\nwebhook-signature: v1,a\n\n{}")
    world.mistake("reinmaker webhooks verify request.txt", code="webhook-secret-missing")
    world.not_cured("only the owner of the endpoint has the secret")
