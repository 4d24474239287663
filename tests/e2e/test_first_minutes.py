"""A new user's first ten minutes: only the lines of the README, typed at a terminal in a clean home."""

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from tests.cli.terminals import Session, needs_terminals, settled
from tests.snapshots import WRITES, in_order

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "first-ten-minutes.md"
COLUMNS = 100

HEAD = """\
# The first ten minutes

<!-- Written by a test: REINMAKER_UPDATE_SNAPSHOTS=1 pytest tests/e2e/test_first_minutes.py -->

The lines of the [README](../README.md#first-ten-minutes), typed by a test at a terminal of 100 columns, in a new home
folder and without a network. Questions are answered with Enter. Dates, ids, ports and folders are replaced.

```console
"""


def typed_lines():
    """The lines of the README's session."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    session = re.search(r"^## First ten minutes\n.*?```console\n(.*?)```", text, re.M | re.S)
    return [line.removeprefix("$ ") for line in session[1].splitlines()]


class Newcomer:
    """Somebody at a terminal, with a checkout, an empty home and nothing else."""

    def __init__(self, reinmaker, tmp_path):
        self.folder = tmp_path / "checkout"
        shutil.copytree(ROOT / "examples" / "first-lesson", self.folder / "examples" / "first-lesson")
        commands = tmp_path / "bin"
        commands.mkdir()
        (commands / "reinmaker").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reinmaker_cli "$@"\n')
        (commands / "reinmaker").chmod(0o755)
        with socket.create_server(("localhost", 0)) as free:
            port = free.getsockname()[1]
        kept = {name: value for name, value in reinmaker.environment.items() if name != "REINMAKER_DATA"}
        self.variables = {
            **kept,
            "PATH": f"{commands}:{kept['PATH']}",
            "PYTHONPATH": str(ROOT),
            "REINMAKER_PORT": str(port),
            "TERM": "xterm-256color",
        }
        self.servers = []

    def type(self, line):
        """Type a line and return what stands below it in the end."""
        if line.endswith("&"):
            return self._serve(line.removesuffix("&"))
        command = ["env", "-i", "-C", str(self.folder), *(f"{name}={value}" for name, value in self.variables.items())]
        with Session((), columns=COLUMNS, command=[*command, "bash", "--norc", "-c", line]) as session:
            if line.startswith("reinmaker init"):
                for question in ("[reinmaker]: ", "[Y/n] "):
                    session.wait_for(question)
                    session.type("\n")
            return settled(session.end().raw.replace("\r\n", "\n\r"))

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
        for server in self.servers:
            server.terminate()
            server.communicate()


def normal(text, newcomer):
    text = text.replace(str(newcomer.folder), "~/checkout").replace(str(newcomer.folder.parent / "home"), "~")
    text = re.sub(r"\d{4}([.-])\d{2}\1\d{2}", "<today>", text)
    text = re.sub(r"\bclient[A-Za-z0-9]{14}\b", "<client>", text)
    text = re.sub(r"#token=[A-Za-z0-9_-]+", "#token=<token>", text)
    return in_order(re.sub(r"localhost:\d+", "localhost:<port>", text).strip("\n"))


@needs_terminals
def test_the_first_ten_minutes_are_as_they_were_recorded(reinmaker, tmp_path):
    newcomer = Newcomer(reinmaker, tmp_path)
    try:
        shown = []
        for line in typed_lines():
            said = newcomer.type(line)
            assert "Traceback" not in said
            shown.append("\n".join(part for part in (f"$ {line}", normal(said, newcomer)) if part))
    finally:
        newcomer.leave()
    page = HEAD + "\n\n".join(shown) + "\n```\n"
    if WRITES:
        PAGE.write_text(page, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page
