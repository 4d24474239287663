"""Runs commands with secrets at hand, and remembers all that was said and kept."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from reinmaker_cli.cli.tree import COMMANDS
from reinmaker_cli.contract.signing import new_secret
from tests.buckets.s3 import aws_variables
from tests.e2e.conftest import Reinmaker, Server
from tests.e2e.marks import Mark


class Witness:
    """A home folder, secrets in its variables; what was said and kept is in `places`."""

    def __init__(self, home: Path, given: Path, s3_url: str) -> None:
        self.home, self.given = home, given
        self.reinmaker = Reinmaker(home)
        self.places: dict[str, bytes] = {}
        self.ran: set[str] = set()
        self.servers: list[Server] = []
        self.wrong = Mark("wrong secret", f"wr0ng+/=%&é?{secrets.token_hex(12)}", "client-nobody")
        self.password = Mark("database password", f"pw+/é{secrets.token_hex(12)}", "somebody")
        webhook = Mark("webhook secret", new_secret())
        cloud = Mark("cloud key", secrets.token_hex(20), "AKIAIOSFODNN7EXAMPLE")
        self.marks = [self.wrong, self.password, webhook, cloud]
        self.reinmaker.environment |= {
            **aws_variables(s3_url),
            "AWS_SECRET_ACCESS_KEY": cloud.secret,
            "GITHUB_ACTIONS": "true",
            "GITHUB_STEP_SUMMARY": str(home / "step-summary"),
            "GITHUB_OUTPUT": str(home / "step-output"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "REINMAKER_WEBHOOK_SECRET": webhook.secret,
            "REINMAKER_CLIENT_ID": self.wrong.id,
            "REINMAKER_CLIENT_SECRET": self.wrong.secret,
            "REINMAKER_CONFIG": str(given / "config.toml"),
            "REINMAKER_TRACE": "1",
            "REINMAKER_VERBOSE": "1",
        }

    def mark(self, name: str, secret: str, client_id: str = "id") -> str:
        """Look for a secret too; return it."""
        self.marks.append(Mark(name, secret, client_id))
        return secret

    def secret(self, name: str) -> str:
        """Return a secret by its name."""
        return next(mark.secret for mark in self.marks if mark.name == name)

    def keep(self, place: str, content: str | bytes) -> None:
        """Remember what stood somewhere."""
        content = content.encode() if isinstance(content, str) else content
        self.places[place] = self.places.get(place, b"") + content + b"\n"

    def keep_files(self) -> None:
        """Remember what lies in the home folder now: data, caches, receipts, events, the runner's files."""
        for file in self.home.rglob("*"):
            if file.is_file():
                self.keep(str(Path("home") / file.relative_to(self.home)), file.read_bytes())

    def run(self, words: str, *more: str | Path, code: int = 0, given: str = "", **variables: str) -> str:
        """Run a command, told to write its events to a file too; return its stdout."""
        verb = next(name for name in sorted(COMMANDS, key=len, reverse=True) if f"{words} ".startswith(f"{name} "))
        self.ran.add(verb)
        variables = {"REINMAKER_EVENTS": str(self.home / f"{verb}.{secrets.token_hex(2)}.events")} | variables
        ended = self.reinmaker(*words.split(), *more, given=given, **variables)
        self.keep(f"{verb}: stdout", ended.out)
        self.keep(f"{verb}: stderr", ended.err)
        assert ended.code == code, (words, ended)
        return ended.out

    def results(self, words: str, *more: str | Path, **variables: str) -> list[dict[str, Any]]:
        """Run a command with --json; return the results of its document."""
        found: list[dict[str, Any]] = json.loads(self.run(words, *more, "--json", **variables))["results"]
        return found

    def serve(self, *options: str | Path, **variables: str) -> Server:
        """Start the server of the data folder. In the log of a GitHub runner its inspector's address has no token."""
        self.ran.add("serve")
        server = Server(self.reinmaker, *options, variables=variables)
        self.servers.append(server)
        place = "serve on GitHub" if self.is_on_github(variables) else "serve"
        self.keep(f"{place}: stdout", json.dumps(server.ready))
        return server

    def is_on_github(self, variables: dict[str, str]) -> bool:
        return (self.reinmaker.environment | variables)["GITHUB_ACTIONS"] == "true"

    def end(self, server: Server, place: str) -> None:
        """Stop a server, and remember its log."""
        self.servers.remove(server)
        ended = server.stop()
        self.keep(f"{place}: stdout", ended.out)
        self.keep(f"{place}: log", ended.err)
        assert ended.code == 0, ended.err

    @property
    def client(self) -> dict[str, str]:
        """What `client.json` says now."""
        document: dict[str, str] = json.loads((self.home / "data" / "client.json").read_text())
        return document
