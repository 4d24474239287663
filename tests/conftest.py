"""What a test run says at its end."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many answers of servers were held to the OpenAPI documents."""
    import sys

    witness = sys.modules.get("tests.server.openapi_witness")
    for file, count in sorted(witness.HELD.items()) if witness else ():
        terminalreporter.write_line(f"openapi-core held {count} answers to {file}")
