"""Somebody who types the sessions of a page, at a terminal in a clean home; and the page that keeps what was said."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from reinmaker_cli.client.credentials import ID_VARIABLE, SECRET_VARIABLE
from tests.cli.terminals import Session, settled
from tests.snapshots import WRITES, in_order

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = 100
BUCKETS = {"staging": "s3://lotd-reinmaker-assets-staging/", "production": "s3://lotd-reinmaker-assets/"}

# The two environments are built in and cannot be redirected, which is right: they are changed in this process alone.
COMMAND = """\
#!{python}
import os, sys
from reinmaker_cli.cli import app, environments
for name, (url, bucket) in {stand_ins!r}.items():
    environments.BUILT_IN[name] = url
    if name in sys.argv:
        environments.ISSUER = url
        if "push" in sys.argv or "--push" in sys.argv:
            os.environ["REINMAKER_MAP"] = bucket
app.main()
"""


class Newcomer:
    """Somebody at a terminal, with a checkout, an empty home and nothing else."""

    def __init__(self, reinmaker, tmp_path):
        self.folder = self.checkout = tmp_path / "checkout"
        self.home = reinmaker.home
        shutil.copytree(ROOT / "examples" / "first-lesson", self.folder / "examples" / "first-lesson")
        self.commands = tmp_path / "bin"
        self.commands.mkdir()
        self.put_command("reinmaker", f'#!/bin/sh\nexec "{sys.executable}" -m reinmaker_cli "$@"\n')
        with socket.create_server(("localhost", 0)) as free:
            port = free.getsockname()[1]
        kept = {name: value for name, value in reinmaker.environment.items() if name != "REINMAKER_DATA"}
        self.variables = {
            **kept,
            "PATH": f"{self.commands}:{kept['PATH']}",
            "PYTHONPATH": str(ROOT),
            "REINMAKER_PORT": str(port),
            "TERM": "xterm-256color",
            "TABSIZE": "0",  # `ls` would write tabs, which a page shows elsewhere
        }
        self.answers = {"reinmaker init": {"[reinmaker]: ": "", "[Y/n] ": ""}}
        """Beginning of a line → what it asks, and what is typed then."""
        self.clients = {}
        """Environment that a server stands in for → the variables with its client, as a secret store gives them."""
        self.code = 0
        self.servers = []

    def put_command(self, name, text):
        """Have a command in the PATH."""
        (self.commands / name).write_text(text)
        (self.commands / name).chmod(0o755)

    def stand_in(self, serve, folder, *, reads_buckets=True):
        """Have servers and folders in the place of the environments that are built in, and their buckets."""
        stand_ins = {}
        for name, prefix in BUCKETS.items():
            (folder / name).mkdir()
            bucket = f"{prefix}={folder / name}"
            reading = ("--map", bucket, "--verify", "strict") if reads_buckets else ()
            server = serve("--data", folder / f"data-{name}", *reading)
            stand_ins[name] = (server.url, bucket)
            client = json.loads((Path(server.ready["data"]) / "client.json").read_text())
            self.clients[name] = {ID_VARIABLE: client["clientId"], SECRET_VARIABLE: client["clientSecret"]}
            asked = {"client id: ": client["clientId"], "secret of ": client["clientSecret"]}
            self.answers[f"reinmaker auth login --env {name}"] = asked
        self.put_command("reinmaker", COMMAND.format(python=sys.executable, stand_ins=stand_ins))

    def type(self, line):
        """Type a line and return what stands below it in the end."""
        self.code = 0
        line = re.sub(r"\s+#.*", "", line)
        if line.startswith("cd "):
            self.folder = (self.folder / line.removeprefix("cd ")).resolve(strict=True)
            return ""
        if line.endswith("&") or line.startswith("reinmaker serve"):  # the page says: in another terminal
            return self._serve(line.removesuffix("&"))
        command = ["env", "-i", "-C", str(self.folder), *(f"{name}={value}" for name, value in self.variables.items())]
        with Session((), columns=COLUMNS, command=[*command, "bash", "--norc", "-c", line]) as session:
            for beginning, answers in self.answers.items():
                for question, answer in answers.items() if line.startswith(beginning) else ():
                    session.wait_for(question)
                    session.type(f"{answer}\n")
            seen = session.end()
        self.code = seen.code
        return settled(seen.raw.replace("\r\n", "\n\r"))

    def _serve(self, line):
        server = subprocess.Popen(
            ["bash", "--norc", "-c", f"exec {line}"],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.servers.append(server)
        said = ""
        while "let time pass" not in said:
            piece = server.stdout.readline()
            assert piece, said
            said += piece
        return said

    def leave(self):
        """End what was left running."""
        for server in self.servers:
            server.terminate()
            server.communicate()

    def shown(self, line):
        """Type a line and return it with what was said, as a page shows it."""
        said = self.type(line)
        assert "Traceback" not in said, said
        return "\n".join(part for part in (f"$ {line}", self.normal(said)) if part)

    def normal(self, text):
        """Replace what differs from run to run."""
        text = text.replace(str(self.checkout), "~/checkout").replace(str(self.home), "~")
        text = re.sub(r"\d{4}([.-])\d{2}\1\d{2}", "<today>", text)
        text = re.sub(r"(?<=refused from )\S+", "<in 90 days>", text)
        text = re.sub(r"\bclient[A-Za-z0-9]{14}\b", "<client>", text)
        text = re.sub(r"#token=[A-Za-z0-9_-]+", "#token=<token>", text)
        return in_order(re.sub(r"localhost:\d+", "localhost:<port>", text).strip("\n"))


def sessions(text):
    """Return the lines that are typed in each `console` block of a page."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.M | re.S)
    return [[line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")] for block in blocks]


def held_to(page, text):
    """Compare a page with what it should be; REINMAKER_UPDATE_SNAPSHOTS=1 writes it anew."""
    if WRITES:
        page.write_text(text, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == text
