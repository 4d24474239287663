"""Dead letters -> an Amazon SQS queue, with boto3: an extra, loaded only where a queue was named.

Credentials, region and endpoint come from the usual AWS chain: variables, profile, role.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.loopback import is_loopback_url
from reinmaker_cli.errors import UsageError
from reinmaker_cli.server.config import SqsTarget
from reinmaker_cli.server.forwarding import BATCH_BYTES, HubFailed, Message, Put
from reinmaker_cli.server.threads import run_detached

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

RETENTION_S: Final = 1_209_600
"""14 days, as long as the table keeps dead letters, and the longest that SQS has."""
CONNECT_LIMIT_S: Final = 5
READ_LIMIT_S: Final = 10
_OTHERS_FAULT: Final = 500
"""Statuses from here on, and throttling, pass by themselves."""


class SqsQueue:
    """A queue that was named; asked at the first use."""

    def __init__(self, target: SqsTarget) -> None:
        self._target = target
        self._checked: tuple[Any, str] | None = None
        """The client and the queue's URL, once the queue was found to be fit."""

    @property
    def name(self) -> str:
        """Return the queue as it was named."""
        return self._target.text

    def check(self) -> None:
        """Raise UsageError where no letter can go there or the queue forgets too soon, HubFailed as `Hub`. Blocks."""
        try:
            from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError
        except ImportError as error:
            raise _unusable(
                "boto3 is not installed, which SQS needs", "install it with `pip install 'reinmaker[sqs]'`"
            ) from error
        try:
            client = self._client()
            url = self._target.url or client.get_queue_url(QueueName=self._target.queue)["QueueUrl"]
            wanted = ["MessageRetentionPeriod"]
            kept = int(client.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"][wanted[0]])
        except (ConnectionError, HTTPClientError) as error:
            raise HubFailed(type(error).__name__) from error
        except ClientError as error:
            if _passes_by_itself(error):
                raise HubFailed(_code(error)) from error
            hint = "check the queue, and that the credentials may sqs:GetQueueAttributes and sqs:SendMessage"
            raise _unusable(f"SQS refuses: `{self.name}` ({_code(error)})", hint) from error
        except BotoCoreError as error:
            hint = "give credentials and region as for the aws command, and try `aws sts get-caller-identity`"
            raise _unusable(f"AWS is not set up for: `{self.name}` ({type(error).__name__})", hint) from error
        if kept != RETENTION_S:
            raise UsageError(
                f"the queue keeps messages {kept} s, not 14 days: `{self.name}`",
                code=codes.DEAD_LETTERS_RETENTION,
                hint="mend it with `aws sqs set-queue-attributes"
                f" --queue-url {url} --attributes MessageRetentionPeriod={RETENTION_S}`",
            )
        self._checked = client, url

    async def put(self, messages: Sequence[Message]) -> Put:
        """Send a batch, as `Hub`. In a thread that nobody waits for where it hangs."""
        return await run_detached(self._put, messages)

    async def close(self) -> None:
        """Leave the connections to their end: a thread may be using one still."""

    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        # Tried once: who asks again, and when, is the forwarder's to say.
        retries: Any = {"total_max_attempts": 1, "mode": "standard"}
        config = Config(connect_timeout=CONNECT_LIMIT_S, read_timeout=READ_LIMIT_S, retries=retries)
        make = functools.partial(boto3.session.Session().client, "sqs", region_name=self._target.region)
        client = make(config=config)
        endpoint = client.meta.endpoint_url
        if is_loopback_url(endpoint):
            client.close()
            return make(config=config.merge(Config(proxies={})))  # no proxy stands between this machine and itself
        if not endpoint.startswith("https:"):
            raise _unusable(f"plain http beyond this machine: `{endpoint}`", "check AWS_ENDPOINT_URL_SQS")
        return client

    def _put(self, messages: Sequence[Message]) -> Put:
        from botocore.exceptions import BotoCoreError, ClientError

        if self._checked is None:
            self.check()
        assert self._checked is not None
        client, url = self._checked
        refused = {
            place: "it is larger than a message may be"
            for place, message in enumerate(messages)
            if message.size_bytes > BATCH_BYTES
        }
        entries = [
            _entry(place, message, is_fifo=url.endswith(".fifo"))
            for place, message in enumerate(messages)
            if place not in refused
        ]
        if not entries:
            return Put((), refused)
        try:
            answer = client.send_message_batch(QueueUrl=url, Entries=entries)
        except ClientError as error:
            raise HubFailed(_code(error)) from error
        except BotoCoreError as error:
            raise HubFailed(type(error).__name__) from error
        taken = {int(entry["Id"]) for entry in answer.get("Successful", ())}
        failed = [entry for entry in answer.get("Failed", ()) if entry.get("SenderFault")]
        return Put(taken, refused | {int(entry["Id"]): entry.get("Code", "no code") for entry in failed})


def _entry(place: int, message: Message, *, is_fifo: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "Id": str(place),
        "MessageBody": message.text,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()
        },
    }
    if is_fifo:
        # Not the event's id: one event may have died at two endpoints, and the queue would drop the second letter.
        entry |= {
            "MessageGroupId": message.letter.delivery.endpoint_id,
            "MessageDeduplicationId": message.version,
        }
    return entry


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "no code"))


def _passes_by_itself(error: ClientError) -> bool:
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return status >= _OTHERS_FAULT or "Throttl" in _code(error)


def _unusable(fact: str, hint: str) -> UsageError:
    return UsageError(fact, code=codes.DEAD_LETTERS_UNUSABLE, hint=hint)
