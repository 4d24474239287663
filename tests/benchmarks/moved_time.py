"""`python -m tests.benchmarks.moved_time DATA WORDS…`: `reinmaker WORDS…`, in a time that passes only by waiting.

Whenever the command waits, the clock of the local server with that data folder is moved instead (`serve --clock
virtual`): its limits are real, and nobody sits them out. The command itself is the one that everybody uses.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from reinmaker_cli.cli.app import run_command_line
from reinmaker_cli.client.local import LocalControl, read_local_client
from reinmaker_cli.client.patience import Clockwork
from reinmaker_cli.errors import ServerUnreachable


class MovedTime:
    """A clock that stands still until somebody waits."""

    def __init__(self, control: LocalControl) -> None:
        self._control = control
        self._now = 0.0

    def wait(self, seconds: float) -> None:
        """Move the server's clock and this one; a server that is gone has none."""
        with suppress(ServerUnreachable):
            self._control.advance_clock(seconds)
        self._now += seconds

    @property
    def world(self) -> Clockwork:
        """The time as the client uses it."""
        return Clockwork(lambda: self._now, self.wait)


def main(data: Path, words: list[str]) -> int:
    """Run the command line and return its exit code."""
    client = read_local_client(data)
    if client is None:
        raise SystemExit(f"no server was started with `{data}`")
    with LocalControl(client.api_url, client.control_token) as control:
        return run_command_line(words, MovedTime(control).world)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
