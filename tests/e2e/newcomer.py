"""Somebody who types the sessions of a page, at a terminal in a clean home; and the page that keeps what was said."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from reinmaker_cli.client.credentials import ID_VARIABLE, SECRET_VARIABLE
from tests.cli.terminals import Session, settled
from tests.ports import own_port
from tests.snapshots import WRITES, in_order

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = 100
BUCKETS = {"staging": "s3://lotd-reinmaker-assets-staging/", "production": "s3://lotd-reinmaker-assets/"}

GOES_ON = {
    "reinmaker serve": "let time pass",
    "reinmaker webhooks listen": "removes the endpoint|registered nowhere",
    "reinmaker local clock follow": "",
    "reinmaker local requests --follow": "",
}
"""Beginning of a line that goes on until ^C → what it says once it has begun."""

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
        shutil.copytree(ROOT / "examples", self.folder / "examples")
        self.commands = tmp_path / "bin"
        self.commands.mkdir()
        self.put_command("reinmaker", f'#!/bin/sh\nexec "{sys.executable}" -m reinmaker_cli "$@"\n')
        kept = {name: value for name, value in reinmaker.environment.items() if name != "REINMAKER_DATA"}
        self.variables = {
            **kept,
            "PATH": f"{self.commands}:{kept['PATH']}",
            "PYTHONPATH": str(ROOT),
            "REINMAKER_PORT": str(own_port()),
            "TERM": "xterm-256color",
            "TABSIZE": "0",  # `ls` would write tabs, which a page shows elsewhere
        }
        self.answers = {"reinmaker init": {"[reinmaker]: ": "", "[Y/n] ": ""}}
        """Beginning of a line → what it asks, and what is typed then."""
        self.clients = {}
        """Environment that a server stands in for → the variables with its client, as a secret store gives them."""
        self.code = 0
        self._going_on = {}

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
        beginning = next((one for one in GOES_ON if line.startswith(one)), None)
        if beginning is not None:
            return self._start(beginning, line.removesuffix("&"))
        command = ["env", "-i", "-C", str(self.folder), *(f"{name}={value}" for name, value in self.variables.items())]
        with Session((), columns=COLUMNS, command=[*command, "bash", "--norc", "-c", line]) as session:
            for beginning, answers in self.answers.items():
                for question, answer in answers.items() if line.startswith(beginning) else ():
                    session.wait_for(question)
                    session.type(f"{answer}\n")
            seen = session.end()
        self.code = seen.code
        return settled(seen.raw.replace("\r\n", "\n\r"))

    def _start(self, beginning, line):
        """Type a line in a terminal of its own and return what it says first; what went on there is ended before."""
        variables = dict(self.variables)
        if beginning == "reinmaker serve":
            self.leave()  # who asks the server before it
        else:
            self._end(beginning)
            del variables["REINMAKER_PORT"]  # it is every command's that has such an option
        started = subprocess.Popen(
            ["bash", "--norc", "-c", f"exec {line}"],
            cwd=self.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._going_on[beginning] = started
        said = ""
        while not said or not re.search(GOES_ON[beginning], said):
            piece = started.stdout.readline()
            assert piece, (line, said)
            said += piece
        return said

    def _end(self, beginning):
        """Press ^C where a line goes on."""
        going = self._going_on.pop(beginning, None)
        if going is not None:
            going.send_signal(signal.SIGINT)
            said, _ = going.communicate()
            assert going.returncode in (0, 130), (beginning, going.returncode, said)

    def leave(self):
        """End what was left running, the last first."""
        try:
            for beginning in reversed(list(self._going_on)):
                self._end(beginning)
        finally:
            for left in self._going_on.values():
                left.kill()

    def shown(self, line):
        """Type a line and return it with what was said, as a page shows it."""
        said = self.type(line)
        assert "Traceback" not in said, said
        return "\n".join(part for part in (f"$ {line}", self.normal(said)) if part)

    def normal(self, text):
        """Replace what differs from run to run."""
        text = text.replace(str(self.checkout), "~/checkout").replace(str(self.home), "~")
        text = text.replace("waiting for the keyring to be unlocked\n", "")  # which a busy machine says of any
        text = re.sub(r"\d{4}([.-])\d{2}\1\d{2}", "<today>", text)
        text = re.sub(r"(?<=refused from )\S+", "<in 90 days>", text)
        text = re.sub(r"\bclient[A-Za-z0-9]{14}\b", "<client>", text)
        text = re.sub(r"#token=[A-Za-z0-9_-]+", "#token=<token>", text)
        return in_order(re.sub(r"localhost:\d+", "localhost:<port>", text).strip("\n"))


def sessions(text):
    """Return each `console` block of a page as pairs: a line that is typed, and what is shown below it."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.M | re.S)
    return [
        [
            (line, below)
            for line, _, below in (part.partition("\n") for part in re.split(r"^\$ ", block, flags=re.M)[1:])
        ]
        for block in blocks
    ]


def held_to(page, text):
    """Compare a page with what it should be; REINMAKER_UPDATE_SNAPSHOTS=1 writes it anew."""
    if WRITES:
        page.write_text(text, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == text
