"""Every command with secrets that are looked for afterwards: in what it said, in what it kept, in what the server kept.

A keyring that works is in test_keyring.py; here there is none, and `auth login` says so after it has proved the secret.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode

import pytest

from reinmaker_cli.cli.tree import COMMANDS
from tests.buckets.fixtures import s3_server
from tests.buckets.s3 import BUCKET
from tests.e2e.marks import PROCESSES, Mark, command_lines, found
from tests.e2e.witness import Witness
from tests.lessons import change_one_byte, lesson
from tests.server.live import event
from tests.server.receiver import receiver

__all__ = ["s3_server"]

pytestmark = pytest.mark.timeout(900)  # some seventy processes, one after another

ROOT = Path(__file__).resolve().parents[2]
USER = "usr_" + "a1" * 16
DATABASE = ("home/data/reinmaker.sqlite3", "home/data/snapshots/one.sqlite3")
MEANT = {
    "development secret": {"home/data/client.json"},
    "rotated development secret": {"home/data/client.json"},
    "control token": {"home/data/client.json", "serve: stdout"},
    "second client": {"local client: stdout"},
    "second client's next": {"local client: stdout"},
    "access token": {"auth token: stdout"},
    "development token": {"auth token: stdout"},
    "endpoint": {"webhooks endpoints: stdout", *DATABASE},
    "endpoint's next": {"webhooks endpoints: stdout", *DATABASE},
    "option's endpoint": {"webhooks endpoints: stdout", *DATABASE},
    "signing key": {*DATABASE},
}
"""Where a secret is found, and may be: its owner asked for it there, or docs/privacy.md says that it is kept there."""

CRASHES = """
import sys, httpx
from reinmaker_cli.cli.app import run_command_line
from reinmaker_cli.server.store.clients import StoredSecret
send = httpx.Client.send
def broken_send(self, request, **more):
    if request.url.path != "/oauth/token":
        raise LookupError("forced")
    return send(self, request, **more)
def broken_fits(self, secret):
    raise ValueError(f"forced by {secret}")
if "serve" in sys.argv:
    StoredSecret.fits = broken_fits
else:
    httpx.Client.send = broken_send
sys.exit(run_command_line(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def day(s3_server, tmp_path_factory):
    """Somebody ran every command."""
    folder = tmp_path_factory.mktemp("secrets")
    for name in ("home", "given"):
        (folder / name).mkdir()
    s3_server.reset()
    witness = Witness(folder / "home", folder / "given", s3_server.url)
    with command_lines() as lines, receiver() as hook:
        try:
            run_all(witness, lesson(folder / "given" / "water-cycle", ages=["2-5"], phases=["welcome"]), hook)
        finally:
            for server in witness.servers:
                server.stop()
    for line in lines:
        witness.keep("command lines", line)
    return witness


def run_all(witness, folder, hook):
    (witness.given / "events.jsonl").write_text(json.dumps(event(userId=USER)) + "\n")
    (witness.given / "config.toml").write_text("")
    without_a_server(witness, folder, hook)
    server = witness.serve("--log", "json", "--webhook", hook.url + "/option", GITHUB_ACTIONS="")
    second = credentials(witness, server)
    lessons(witness, folder, *second)
    tokens(witness, *second)
    webhooks(witness, hook)
    the_rest(witness)
    crash_of_a_client(witness, second[0])
    witness.keep_files()  # with the write-ahead log
    witness.end(server, "serve")
    by_hand(witness, folder)
    crash_of_a_server(witness)
    witness.keep_files()


def without_a_server(witness, folder, hook):
    witness.run("init", folder)
    toml = folder / "reinmaker.toml"
    url = f'url = "s3://{BUCKET}/{{stem}}.{{sha256:8}}{{ext}}"'
    toml.write_text(re.sub(r"(?m)^url = .*$", lambda _: url, toml.read_text()))
    witness.run("scan", folder)
    witness.run("build", folder, "-o", witness.home / "built")
    witness.run("rehearse", folder)
    witness.run("telemetry check", witness.given / "events.jsonl")
    witness.run("webhooks probe", hook.url + "/probe", code=9)  # it takes whatever comes
    for words in ("config path", "explain", "spec openapi", "spec postman", "spec schema", "completion bash"):
        witness.run(words)
    database = f"postgresql://somebody:{quote(witness.password.secret, safe='')}@127.0.0.1:9/none"
    witness.run("serve --port 0", code=2, REINMAKER_DATABASE=database)


def credentials(witness, server):
    """Return how a second client is named: its secret in a variable, in a file, and a wrong one."""
    witness.keep_files()
    client = witness.client
    witness.mark("control token", client["controlToken"])
    witness.mark("development secret", client["clientSecret"], client["clientId"])
    (made,) = witness.results("local client add --name second")
    secret = witness.mark("second client", made["clientSecret"], made["clientId"])
    (witness.given / "config.toml").write_text(f'[env.ci]\napi_url = "{server.url}"\n')
    (witness.given / "secret").write_text(secret + "\n")
    at = {"REINMAKER_ENV": "ci", "REINMAKER_CLIENT_ID": made["clientId"]}
    file = {"REINMAKER_CLIENT_SECRET": "", "REINMAKER_CLIENT_SECRET_FILE": str(witness.given / "secret")}
    return at | {"REINMAKER_CLIENT_SECRET": secret}, at | file, {"REINMAKER_ENV": "ci"}


def lessons(witness, folder, by_variable, by_file, wrong):
    receipts = witness.home / "receipts"
    witness.run("push", folder)
    witness.run("check --online", folder, **by_variable)
    witness.run("publish", folder, "--receipt", receipts, **by_variable)
    witness.run("publish --json", folder, **by_file)
    witness.run("publish", folder, code=4, **wrong)
    witness.run("verify", receipts, "--root", folder)
    witness.run("diff", folder, **by_file)
    witness.run("status", folder)
    witness.run("list --json", **by_file)
    witness.run("entitlements", USER, **by_file)
    witness.run("telemetry send", witness.given / "events.jsonl", **by_variable)
    witness.run("health")
    witness.run("doctor --online", code=4, **wrong)
    witness.run("config show --origin", **by_variable)


def tokens(witness, by_variable, by_file, wrong):
    secret = witness.secret("second client") + "\n"
    witness.run("auth login --secret-stdin", code=4, given=witness.wrong.secret + "\n", **wrong)
    witness.run("auth login --secret-stdin", code=4, given=secret, **by_variable)
    witness.run("auth rotate --secret-stdin", code=4, given=secret, **by_variable)
    witness.run("auth logout", code=4, **wrong)
    witness.run("auth status", **by_file)
    witness.mark("access token", witness.run("auth token", **by_variable).strip())
    witness.mark("development token", json.loads(witness.run("auth token --json"))["accessToken"])
    witness.run("auth rotate")
    witness.mark("rotated development secret", witness.client["clientSecret"], witness.client["clientId"])
    (again,) = witness.results("local client rotate", by_variable["REINMAKER_CLIENT_ID"])
    witness.mark("second client's next", again["clientSecret"], again["clientId"])


def webhooks(witness, hook):
    (made,) = witness.results("webhooks endpoints add", hook.url + "/added")
    witness.mark("endpoint", made["signingSecret"])
    (optional,) = [one for one in witness.results("webhooks endpoints list") if one["url"].endswith("/option")]
    shown = witness.run("webhooks endpoints secret", optional["endpointId"], "--quiet")
    witness.mark("option's endpoint", shown.strip())
    shown = witness.run("webhooks endpoints secret --next", made["endpointId"])
    witness.mark("endpoint's next", shown.strip())
    witness.run("webhooks rotate", made["endpointId"])
    listen(witness)
    captured = hook.wait_for(1, target="/added")[0]
    file, signing = witness.given / "captured.json", witness.given / "signing"
    file.write_text(json.dumps({"headers": captured.headers, "body": captured.body.decode()}))
    signing.write_text(witness.secret("endpoint's next"))
    witness.run("webhooks verify", file, code=9)  # with the secret of the variable
    witness.run("webhooks verify", file, "--secret-file", signing)
    delivery = witness.results("webhooks deliveries --endpoint", made["endpointId"])[0]
    witness.run("webhooks resend", delivery["deliveryId"])
    witness.run("webhooks dead-letters list")
    witness.run("webhooks redrive --all")


def listen(witness):
    """A receiver that registers itself, and so fetches its secret."""
    words = ["webhooks", "listen", "--port", "0", "--once", "--events", "-"]
    with witness.reinmaker.start(*words, REINMAKER_WEBHOOK_SECRET="") as listener:
        first = listener.stdout.readline()
        assert '"listening"' in first, listener.communicate()
        witness.ran.add("webhooks listen")
        witness.run("webhooks trigger content.requested")
        out, err = listener.communicate(timeout=60)
    witness.keep("webhooks listen: stdout", first + out)
    witness.keep("webhooks listen: stderr", err)
    assert listener.returncode == 0, err


def the_rest(witness):
    for words in (
        "local clock advance 1m",
        "local keys rotate",
        f"local entitlement add {USER} --plan reinmaker.game_pass",
        "local fault add latency --delay 1ms",
        "local request-content --phase-dna water-cycle --locale en-US --persona 2-5",
        f"local forget {USER}",
        "local wait --idle",
        "local requests --json",
        "local snapshot one",
        "local restore one",
    ):
        witness.run(words)
    with closing(sqlite3.connect(witness.home / "data" / "reinmaker.sqlite3")) as database:
        ((pem,),) = database.execute("SELECT private_pem FROM signing_keys ORDER BY created_at LIMIT 1")
    witness.mark("signing key", pem.splitlines()[2])


def by_hand(witness, folder):
    """The data folder again, on a GitHub runner, with the log as text."""
    server = witness.serve("--validation", "manual")
    change_one_byte(next(folder.glob("*.mp3")))
    (sent,) = [one for one in witness.results("publish --no-wait", folder) if one["outcome"] == "pending"]
    witness.run("local decide", sent["manifestId"], sent["version"], "active")
    witness.keep_files()
    witness.run("local reset")
    witness.end(server, "serve on GitHub")


def crash(witness, *words, **variables):
    """Start a command that has a bug."""
    environment = witness.reinmaker.environment | {"PYTHONPATH": str(ROOT)} | variables
    command, pipe = [sys.executable, "-c", CRASHES, *map(str, words)], subprocess.PIPE
    return subprocess.Popen(command, cwd=witness.home, env=environment, stdout=pipe, stderr=pipe, text=True)


def crash_of_a_client(witness, variables):
    """A bug while a token is in hand."""
    with crash(witness, "list", "--json", "--events", witness.home / "crash.events", **variables) as process:
        out, err = process.communicate(timeout=60)
    witness.keep("crash: stdout", out)
    witness.keep("crash: stderr", err)
    assert process.returncode == 1, err
    assert "Traceback" in err
    assert "LookupError: forced" in err


def crash_of_a_server(witness):
    """A bug whose text quotes a secret."""
    with crash(witness, "serve", "--ephemeral", "--port", "0", "--json") as process:
        ready = process.stdout.readline()
        client = json.loads((Path(json.loads(ready)["data"]) / "client.json").read_text())
        witness.mark("secret in a bug", client["clientSecret"], client["clientId"])
        witness.run("auth token", code=7, REINMAKER_DATA=json.loads(ready)["data"])
        process.terminate()
        out, err = process.communicate(timeout=60)
    witness.keep("crash of a server: stdout", ready + out)
    witness.keep("crash of a server: log", err)
    assert "Traceback" in err
    assert "ValueError: its text is not logged" in err


def test_every_command_was_run(day):
    assert set(COMMANDS) - day.ran == set()


def test_no_secret_is_where_it_is_not_meant_to_be(day):
    meant = {(name, place) for name, places in MEANT.items() for place in places}
    meant |= {(name, f"{place}-wal") for name, place in meant if place == DATABASE[0]}
    assert found(day.marks, day.places) - meant == set()


def test_each_secret_is_where_it_is_meant_to_be(day):
    """So the search can see: it finds what is there in the same places, in the same way."""
    meant = {(name, place) for name, places in MEANT.items() for place in places}
    assert meant - found(day.marks, day.places) == set()


def test_the_database_holds_what_signs_and_docs_privacy_says_so(day):
    rows = re.findall(r"(?m)^\| `?([^|`]+)`? \| ([^|]+) \|", (ROOT / "docs" / "privacy.md").read_text("utf-8"))
    held = dict(rows)
    assert held["webhook_secrets"].strip() == "secrets that sign webhooks, as they are"
    assert held["signing_keys"].strip() == "private keys that sign tokens"
    assert held["client_secrets"].strip() == "SHA-256 of client secrets, never the secret"
    assert "secret of the development client, control token" in held["client.json"]
    assert held["snapshots/"].strip() == "whole copies of the database"
    with closing(sqlite3.connect(day.home / "data" / "snapshots" / "one.sqlite3")) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {name: repr(database.execute(f'SELECT * FROM "{name}"').fetchall()).encode() for name in names}
    assert {table for _, table in found(day.marks, tables)} == {"webhook_secrets", "signing_keys"}


@pytest.mark.skipif(not PROCESSES.is_dir(), reason="nothing here shows the command lines of others")
def test_no_command_line_holds_a_secret(day):
    lines = day.places["command lines"]
    assert lines.count(b"reinmaker_cli") > len(COMMANDS)  # it did look while they ran
    assert found(day.marks, {"command lines": lines}) == set()


@pytest.mark.parametrize("around", ["", "a", "ab", "abc"])
def test_a_secret_is_found_in_every_form(around):
    mark = Mark("it", "s3cret+/=%&?>~é" * 2, "cli+ent")
    pair = f"{quote_plus(mark.id)}:{quote_plus(mark.secret)}"
    written = [
        mark.secret,
        json.dumps({"secret": mark.secret}),
        urlencode({"client_secret": mark.secret}),
        b64encode(f"{mark.id}:{mark.secret}".encode()).decode(),
        b64encode(pair.encode()).decode(),
        *(code(f"{around}{mark.secret}{around}".encode()).decode() for code in (b64encode, urlsafe_b64encode)),
    ]
    for text in written:
        assert found([mark], {"there": f"<{text}>".encode()}), text
    assert not found([mark], {"there": b64encode(mark.secret[1:].encode())})
