"""Connections held open without a word: others are answered, memory is bounded, and afterwards all is as before."""

import os
import resource
import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.lessons import lesson

HELD = 10_000 if os.environ.get("REINMAKER_SOAK") else 1000
MOST_BYTES = 64 << 10
"""Of the server's memory, for each."""
BEGUN = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def descriptors():
    """Let this process and those that it starts have enough of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = HELD + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the system grants {hard} descriptors, and {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory_bytes(pid):
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) << 10


def sockets(pid):
    """Return how many a process has open."""
    found = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found += os.readlink(file).startswith("socket:")
    return found


def test_held_connections_keep_nobody_from_an_answer(reinmaker, serve, descriptors, tmp_path, say):
    folder = lesson(tmp_path / "water-cycle", languages=["en"])
    assert reinmaker("init", folder).code == 0
    server = serve("--limits", "off", "--log", "off")
    assert reinmaker("publish", folder).code == 0  # all that is loaded when it is needed
    before, usual = memory_bytes(server.pid), sockets(server.pid)
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    held = []
    try:
        for number in range(HELD):
            held.append(socket.create_connection(address, timeout=120))
            if number % 2:
                held[-1].sendall(BEGUN)
        published = reinmaker("publish", folder, "--json")
        most = sockets(server.pid) - usual
        each = (memory_bytes(server.pid) - before) / HELD
    finally:
        for connection in held:
            connection.close()
    assert (published.code, published.outcomes) == (0, ["unchanged"] * 2), published.err
    while sockets(server.pid) > usual:
        assert reinmaker("health").code == 0
    say(f"{most} of {HELD} connections held at the same time, {each / 1024:.1f} KiB each")
    assert most > HELD / 2, "the server gave them up before others asked: nothing was tried"
    assert each < MOST_BYTES
    assert reinmaker("publish", folder).code == 0
