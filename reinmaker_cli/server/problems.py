"""Errors as the API answers them: RFC 9457 problem documents, made in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reinmaker_cli.contract.codes import Code
from reinmaker_cli.contract.names import PROBLEM_TYPE_PREFIX, TRACE_URL_PREFIX


class ApiProblem(Exception):
    """Raise it anywhere under a route: the caller gets this problem as the answer."""

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        error_count: int = 0,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.status = code.status or 400
        """What is wrong with a body's JSON is a finding as well as a problem, and has no status of its own: 400."""
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = list(errors)
        self.error_count = error_count

    def document(self, trace_id: str) -> dict[str, Any]:
        """Return the problem document."""
        document: dict[str, Any] = {
            "type": PROBLEM_TYPE_PREFIX + self.code,
            "title": self.code.heading,
            "status": self.status,
            "detail": self.detail,
            "instance": TRACE_URL_PREFIX + trace_id,
            "code": str(self.code),
        }
        if self.errors:
            document |= {"errors": self.errors, "errorCount": self.error_count}
        return document
