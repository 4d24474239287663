"""Limits as a request meets them: counted, said on its answer, refused with 429."""

from __future__ import annotations

from starlette.requests import Request

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.faults import FaultKind
from reinmaker_cli.server.faults import Asked
from reinmaker_cli.server.limits import Counted, Exceeded, Policy
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.exchange import add_to_answer
from reinmaker_cli.server.services import Services


async def count_request(
    request: Request, services: Services, policy: Policy, client_id: str, address: str = ""
) -> None:
    """Count the request and put its fields on the answer; ApiProblem 429 where it is one too many.

    The fields are those of draft-ietf-httpapi-ratelimit-headers: `r` what may be sent now, `t` seconds until the oldest
    counted request leaves the window.
    """
    asked_for = await _asked_for(request, services, client_id)
    taken = asked_for or await services.limits.count(policy, client_id, address)
    if taken is None:
        return
    quota = services.limits.quota(client_id, policy)
    left = taken.left if isinstance(taken, Counted) else 0
    fields = {
        "RateLimit-Policy": f'"{policy.name}";q={quota};w={policy.window_s}',
        "RateLimit": f'"{policy.name}";r={left};t={taken.oldest_leaves_s}',
    }
    add_to_answer(request.scope, fields)
    if not isinstance(taken, Counted):
        raise ApiProblem(
            codes.QUOTA_EXCEEDED,
            f"more than {quota} requests in {policy.window_s} s under the policy {policy.name}",
            headers={"Retry-After": str(taken.retry_after_s)},
        )


async def _asked_for(request: Request, services: Services, client_id: str) -> Exceeded | None:
    """Return the limit that a fault says is met."""
    if services.faults.is_quiet:
        return None
    asked = Asked(request.method, request.scope["path"], client_id)
    rule = await services.faults.struck({FaultKind.LIMITED}, asked)
    if rule is None:
        return None
    return Exceeded(oldest_leaves_s=rule.retry_after_s or 1, retry_after_s=rule.retry_after_s or 1)
