"""A person who makes a mistake, reads what the tool says, and types the next command: all of it for real."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reinmaker_cli.server.running import ServerConfig, Started, running_server
from tests.cli.command import Command, Ended, command_line, environment
from tests.snapshots import in_order
from tests.trial.page import Entry

_FIRST_WORDS = (
    "reinmaker",
    "git",
    "export",
    "unset",
    "chmod",
    "echo",
    "mkdir",
    "df",
    "ls",
    "timedatectl",
    "python",
    "getent",
)
_HINT = re.compile(r"^hint: (.*)$", re.M)
_QUOTED = re.compile(r"`([^`]+)`")


def next_commands(said: str) -> list[str]:
    """Return the command lines in the hints, the last hint first: it is what a person reads at the prompt."""
    quoted = [word for hint in reversed(_HINT.findall(said)) for word in _QUOTED.findall(hint)]
    return [line for line in quoted if line.split()[0] in _FIRST_WORDS]


@dataclass
class World:
    """One mistake from the making to the cure; `entry` becomes its section in docs/errors.md."""

    work: Path
    home: Path
    reinmaker: Command
    monkeypatch: pytest.MonkeyPatch
    entry: Entry
    _mistaken: str = ""
    _said: str = ""

    def run(self, line: str) -> Ended:
        """Run a line of the shell: in this process where it is one command of ours, in bash where it is not."""
        words = shlex.split(line)
        if words[0] == "reinmaker" and not set("><|&;$*") & set(line):
            return self.reinmaker(*words[1:])
        return self._in_bash(line)

    def ready(self, *lines: str) -> None:
        """Run lines that are part of the story before the mistake; each must succeed."""
        for line in lines:
            ended = self.run(line)
            assert ended.code == 0, (line, ended.out, ended.err)

    def mistake(self, line: str, *, code: str, shown: str = "", in_time: bool = True) -> Ended:
        """Type the line that goes wrong, and keep what is said. `code` is the code that must be in it.

        `in_time` False: a busy machine may go wrong in another way before, and it is typed until this one comes.
        """
        ended = self.run(line)
        while not in_time and f"[{code}]" not in ended.err:
            ended = self.run(line)
        assert ended.code != 0, (line, ended.out)
        assert f"[{code}]" in ended.err, ended.err
        self._keep(shown or line, ended.code, ended.err, code)
        return ended

    def warning(self, line: str, *, code: str) -> Ended:
        """Type a line that only warns; what is kept is the warning and its hint."""
        ended = self.run(line)
        lines = ended.out.splitlines()
        (at,) = (number for number, text in enumerate(lines) if f"[{code}]" in text)
        self._keep(line, ended.code, "\n".join(text.strip() for text in lines[at : at + 2]), code)
        return ended

    def keep(self, shown: str, exit_code: int, said: str, code: str) -> None:
        """Keep what a process of its own said."""
        assert f"[{code}]" in said, said
        self._keep(shown, exit_code, said, code)

    def next(self, number: int = 0) -> str:
        """Return the next command that the hint gives."""
        commands = next_commands(self._said)
        assert commands, f"no command to type in: {self._said}"
        return commands[number]

    def cure(
        self,
        *,
        filled: Mapping[str, str] | None = None,
        number: int = 0,
        again: bool = True,
        clean: str = "",
    ) -> Ended:
        """Type the command of the hint; then, where that is another one, the mistaken line again: both must succeed.

        `filled` replaces what only the person knows; `clean` is a code that must be gone. `again` False: the typed
        command is the corrected line itself.
        """
        line = typed = self.next(number)
        for place, value in (filled or {}).items():
            assert place in typed, (place, typed)
            typed = typed.replace(place, value)
        ended = self.run(typed)
        assert ended.code == 0, (typed, ended.out, ended.err)
        self.cured(line, again=again)
        if clean:
            assert f"[{clean}]" not in self.run(self._mistaken).out
        return ended

    def cured(self, line: str, *, again: bool) -> None:
        """Note that the typed line was the cure; `again`: the mistaken line is typed once more, and succeeds."""
        if again:
            ended = self.run(self._mistaken)
            assert ended.code == 0, (self._mistaken, ended.out, ended.err)
        self.entry.typed(line, again=again)

    def not_cured(self, why: str, *, types: bool = True) -> None:
        """Note why no command can cure it; the one of the hint is typed all the same, and must run."""
        line = self.next()
        if types:
            ended = self.run(line)
            assert ended.code in (0, 1, 2, 3, 6, 7) and "error[usage]" not in ended.err, (line, ended.err)
        self.entry.left(line, why)

    @contextmanager
    def started(self, line: str) -> Iterator[str]:
        """Type a `reinmaker serve …` line in another terminal, and leave it running; yields its address."""
        words = shlex.split(line)
        assert words[:2] == ["reinmaker", "serve"], line
        with subprocess.Popen(
            command_line(*words[1:]), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            try:
                first = process.stdout.readline().decode()
                assert first.startswith("ready "), first
                yield first.split()[1]
            finally:
                process.terminate()

    @contextmanager
    def server(self, **changes: object) -> Iterator[Started]:
        """Have a local server that the command line finds as environment `local`."""
        data = self.work.parent / "data"
        self.monkeypatch.setenv("REINMAKER_DATA", str(data))
        config = {"port": 0, "data": data, "log": "off", "network": False} | changes
        with running_server(ServerConfig(**config)) as started:  # type: ignore[arg-type]
            yield started

    def mirror(self, url: str, *, where: str = "user") -> None:
        """Define environment `mirror` in the user's or the project's file."""
        file = self.work.parent / "config.toml"
        if where == "user":
            file.write_text(f'[env.mirror]\napi_url = "{url}"\n')
            self.monkeypatch.setenv("REINMAKER_CONFIG", str(file))
        else:
            project = self.work / "lesson" / "reinmaker.toml"
            project.write_text(f'{project.read_text()}\n[env.mirror]\napi_url = "{url}"\n')

    def edit(self, file: str, old: str, new: str) -> None:
        """Change a file as a person does with an editor."""
        path = self.work / file
        text = path.read_text()
        assert old in text, text
        path.write_text(text.replace(old, new, 1))

    def _keep(self, line: str, exit_code: int, said: str, code: str) -> None:
        self._mistaken, self._said = line, said
        self.entry.made(self._normal(line), exit_code, self._normal(said), code)
        self.entry.normal = self._normal

    def _normal(self, text: str) -> str:
        for folder, name in ((self.home, "~"), (self.work.parent / "data", "<data>"), (self.work, "~/work")):
            text = text.replace(str(folder), name)
        text = text.replace(str(self.work.parent), "<tmp>")
        # Before ports, which a year looks like. A day of 2020 stays: it stands for one long ago.
        text = re.sub(r"\b(?!2020)\d{4}([.-])\d{2}\1\d{2}(-\d)?", "<today>", text)
        text = re.sub(r"(localhost|127\.0\.0\.1):\d+", r"\1:<port>", text)
        text = re.sub(r"(port |--port |`)\d{4,5}\b(?!\.| [a-z]+s\b)", r"\1<port>", text)
        text = re.sub(r"`kill \d+`", "`kill <pid>`", text)
        text = re.sub(r"(?<=` is )validating$", "pending", text, flags=re.MULTILINE)  # as it was last looked at
        text = re.sub(r"\b[0-9a-f]{32}\b", "<trace>", text)
        text = re.sub(r"\bclient[A-Za-z0-9]{14}\b", "<client>", text)
        text = re.sub(r"\b3(5[5-9]\d|6[0-4]\d) s behind", "3600 s behind", text)
        text = in_order(re.sub(r"\bof \d+ checks\b", "of all checks", text))
        return re.sub(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b", "<id>", text)

    def _in_bash(self, line: str) -> Ended:
        """Run a line in bash, then be where it left us: its variables and its folder."""
        left = self.work.parent / "left"
        script = f"{line}\ncode=$?\npwd > '{left}.pwd'; env -0 > '{left}.env'\nexit $code\n"
        bin_folder = self._command_folder()
        ended = subprocess.run(
            ["bash", "--norc", "-c", script],
            capture_output=True,
            check=False,
            env=environment(PATH=f"{bin_folder}:{os.environ['PATH']}"),
            stdin=subprocess.DEVNULL,
        )
        now = dict(entry.split("=", 1) for entry in Path(f"{left}.env").read_text().split("\0") if "=" in entry)
        for name in {*os.environ, *now} - {"PATH", "PWD", "OLDPWD", "SHLVL", "_"}:
            if name not in now:
                self.monkeypatch.delenv(name)
            elif os.environ.get(name) != now[name]:
                self.monkeypatch.setenv(name, now[name])
        self.monkeypatch.chdir(Path(f"{left}.pwd").read_text().strip())
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def _command_folder(self) -> Path:
        folder = self.work.parent / "bin"
        if not folder.exists():
            folder.mkdir()
            command = folder / "reinmaker"
            command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m reinmaker_cli "$@"\n')
            command.chmod(0o755)
        return folder
