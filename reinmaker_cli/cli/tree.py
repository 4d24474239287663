"""The command tree as plain data: every verb, the module that holds it, one line of help.

Help, completion and dispatch read this and import nothing, so that a verb costs only its own module.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

GROUPS: Final[dict[str, str]] = {
    "auth": "credentials: keep, prove, rotate",
    "config": "which settings apply, and why",
    "local": "steer the local server",
    "telemetry": "gameplay events: check them, send them",
    "webhooks": "receive events, and see what became of them",
    "spec": "the API document, the Postman collection and the JSON Schemas",
}
"""Words that need a second word."""

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "init": ("reinmaker_cli.cli.init:init", "look at a folder, write its reinmaker.toml"),
    "scan": ("reinmaker_cli.cli.assets:scan", "list the assets: type, size, hash; and all that is wrong with them"),
    "build": ("reinmaker_cli.cli.build:build", "scan and assemble manifests; offline"),
    "check": ("reinmaker_cli.cli.check:check", "all that build checks, for folders and manifest files"),
    "diff": ("reinmaker_cli.cli.diff:diff", "what publishing would change"),
    "publish": ("reinmaker_cli.cli.publish:publish", "build, check, submit, wait for the verdict"),
    "rehearse": ("reinmaker_cli.cli.publish:rehearse", "the same against a throw-away server inside the command"),
    "push": ("reinmaker_cli.cli.push:push", "upload the assets to where their URLs say"),
    "status": ("reinmaker_cli.cli.remote:status", "what the API says about manifests"),
    "list": ("reinmaker_cli.cli.remote:list_manifests", "every manifest that the API knows"),
    "verify": (
        "reinmaker_cli.cli.verify:verify",
        "are these still those bytes? a folder against a receipt or manifest",
    ),
    "auth login": ("reinmaker_cli.cli.auth:login", "prove a client secret, then keep it in the keyring"),
    "auth status": ("reinmaker_cli.cli.auth:status", "source, client id, scopes, age; never the secret"),
    "auth token": ("reinmaker_cli.cli.auth:token", "print an access token"),
    "auth rotate": ("reinmaker_cli.cli.auth:rotate", "replace the secret, once the new one is proved"),
    "auth logout": ("reinmaker_cli.cli.auth:logout", "remove the secret from the keyring"),
    "entitlements": ("reinmaker_cli.cli.entitlements:entitlements", "what a user may use now"),
    "telemetry send": ("reinmaker_cli.cli.telemetry:send", "send gameplay events: a file or pipe of any length"),
    "telemetry check": ("reinmaker_cli.cli.telemetry:check", "what is wrong with events, personal data above all"),
    "webhooks listen": ("reinmaker_cli.cli.webhooks_listen:listen", "receive, verify and show webhooks; forward them"),
    "webhooks verify": (
        "reinmaker_cli.cli.webhooks:verify",
        "is the signature of a captured request right, and why not",
    ),
    "webhooks trigger": ("reinmaker_cli.cli.webhooks:trigger", "cause an event at the local server"),
    "webhooks probe": ("reinmaker_cli.cli.webhooks_probe:probe", "test somebody's receiver"),
    "webhooks endpoints": (
        "reinmaker_cli.cli.webhooks_endpoints:endpoints",
        "who is told: list, add, disable, enable, remove, secret",
    ),
    "webhooks rotate": ("reinmaker_cli.cli.webhooks_endpoints:rotate", "let the next secret of an endpoint take over"),
    "webhooks deliveries": ("reinmaker_cli.cli.webhooks_deliveries:deliveries", "what became of events; --follow"),
    "webhooks resend": ("reinmaker_cli.cli.webhooks_deliveries:resend", "send a delivery once more, now"),
    "webhooks dead-letters": (
        "reinmaker_cli.cli.webhooks_dead_letters:dead_letters",
        "what was given up: list, show, export, purge",
    ),
    "webhooks redrive": ("reinmaker_cli.cli.webhooks_dead_letters:redrive", "deliver dead letters again"),
    "serve": ("reinmaker_cli.cli.serve:serve", "the whole API on localhost:7040"),
    "local clock": ("reinmaker_cli.cli.clock:clock", "the server's clock: show, set, advance, follow"),
    "local client": ("reinmaker_cli.cli.local:client", "development clients: list, add, rotate, limit"),
    "local keys": ("reinmaker_cli.cli.local_keys:keys", "the keys that sign its tokens: list, rotate"),
    "local decide": ("reinmaker_cli.cli.local:decide", "give the verdict by hand (serve --validation manual)"),
    "local entitlement": ("reinmaker_cli.cli.local_people:entitlement", "what users may use: list, add, revoke"),
    "local fault": ("reinmaker_cli.cli.local_faults:fault", "let the server fail on purpose: list, add, clear"),
    "local request-content": ("reinmaker_cli.cli.webhooks:request_content", "have the local server ask for content"),
    "local forget": ("reinmaker_cli.cli.local_people:forget", "erase a user from the local server"),
    "local requests": (
        "reinmaker_cli.cli.local_journal:requests",
        "what was asked of the server, and what that caused",
    ),
    "local wait": ("reinmaker_cli.cli.local_journal:wait", "wait until something is so, instead of sleeping"),
    "local snapshot": ("reinmaker_cli.cli.local_state:snapshot", "keep the server's whole state under a name"),
    "local restore": ("reinmaker_cli.cli.local_state:restore", "put a snapshot back, while the server runs"),
    "local reset": ("reinmaker_cli.cli.local_state:reset", "make the server as it was freshly started"),
    "health": ("reinmaker_cli.cli.remote:health", "is the API up"),
    "config show": ("reinmaker_cli.cli.config:show", "the settings that apply; --origin: who won and what it beat"),
    "config path": ("reinmaker_cli.cli.config:path", "where the configuration files are"),
    "doctor": ("reinmaker_cli.cli.doctor:doctor", "everything that could stop a publication, each with its cure"),
    "explain": ("reinmaker_cli.cli.explain:explain", "what a finding or error means and what to do"),
    "spec openapi": ("reinmaker_cli.cli.spec:openapi", "print the API document, OpenAPI 3.1"),
    "spec postman": ("reinmaker_cli.cli.spec:postman", "print the Postman collection, with tests"),
    "spec schema": ("reinmaker_cli.cli.spec:schema", "print the manifest's JSON Schema, or that of a --json document"),
    "completion": ("reinmaker_cli.cli.completion:completion", "print the completion script of a shell"),
}
"""Verb → (module:function, one line of help), in the order of the work."""


def children(group: str = "") -> list[str]:
    """Return the words that may follow `group`, in tree order; "" is the root."""
    prefix = f"{group} " if group else ""
    words = (name[len(prefix) :].split(" ")[0] for name in COMMANDS if name.startswith(prefix))
    return list(dict.fromkeys(words))


def summary(name: str) -> str:
    """Return the one line of help of a verb or group."""
    return GROUPS[name] if name in GROUPS else COMMANDS[name][1]
