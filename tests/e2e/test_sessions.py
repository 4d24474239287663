"""Every line of a shell session in the documentation is typed, or listed below with the reason why it is not.

Pages that a test writes show what is said too and have tests of their own; here it is enough that a line works.
"""

import json
import re
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from reinmaker_cli.client.credentials import ID_VARIABLE, SECRET_FILE_VARIABLE, SECRET_VARIABLE
from reinmaker_cli.contract.signing import new_secret, secret_bytes, sign
from tests.cli.terminals import needs_terminals
from tests.e2e.newcomer import ROOT, Newcomer, sessions
from tests.ports import own_port
from tests.secret_service import needs_keyring, secret_service

pytestmark = pytest.mark.timeout(600)  # twenty commands and more in a row, on a machine that does other things too

RECORDED = {"docs/errors.md", "docs/first-ten-minutes.md", "docs/tutorial.md"}
"""Pages that tests write: tests/trial, test_first_minutes.py, test_tutorial.py."""

QUEUE = "a queue of somebody's; test_forwarding.py has stand-ins"
POSTGRES = "hosts of somebody's PostgreSQL; test_postgres.py and test_processes.py have a real one"
NOT_TYPED = {
    "git clone … reinmaker && cd reinmaker": "only the reader knows from where",
    "pipx install .": "wants the package index",
    "pip install 'reinmaker[postgres]'": "wants the package index",
    "pip install 'reinmaker[s3]'": "wants the package index",
    "pip install 'reinmaker[sqs]'": "wants the package index",
    "pip wheel --wheel-dir wheels .": "wants the package index",
    "pip install --no-index --find-links wheels reinmaker": "wants what the line before gets from the index",
    "reinmaker serve --dead-letters sqs://eu-west-1/dead-letters": QUEUE,
    "reinmaker serve --dead-letters https://NAMESPACE.servicebus.windows.net/HUB": QUEUE,
    "pipx run pip-audit --disable-pip --require-hashes -r requirements-dev.lock": "asks the index for advisories",
    "npm audit --prefix tests/proof/node": "asks the registry for advisories",
    'while IFS=$\'\\t\' read -r file url; do aws s3 cp --no-progress "$file" "$url"; done < ../plan.tsv': "wants AWS",
    "createuser reinmaker --pwprompt && createdb --owner reinmaker reinmaker": POSTGRES,
    "reinmaker serve --database postgresql://reinmaker@db.internal/reinmaker --workers 4": POSTGRES,
    "reinmaker serve --database postgresql://reinmaker@db/reinmaker --behind-proxy --public-url https://api.example"
    " --control-port 7041": POSTGRES,
}


WEBHOOK_SECRET = new_secret()


def without_remark(line):
    return re.sub(r"\s+#.*", "", line)


def session_of(page):
    """The lines of a page's sessions with what is shown below each, but for those that test_first_minutes.py types."""
    text = (ROOT / page).read_text(encoding="utf-8")
    text = re.sub(r"^## First ten minutes\n.*?(?=^## )", "", text, flags=re.M | re.S)
    return [(without_remark(line), shown) for session in sessions(text) for line, shown in session]


def typed_in(page):
    return [line for line, _ in session_of(page)]


def all_pages():
    found = [path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))]
    return sorted(found)


def pages():
    return [page for page in all_pages() if page not in RECORDED and typed_in(page)]


@pytest.fixture
def reader(reinmaker, serve, tmp_path):
    """Somebody with a lesson that has no reinmaker.toml yet, a keyring, staging and production."""
    somebody = Newcomer(reinmaker, tmp_path)
    somebody.stand_in(serve, tmp_path, reads_buckets=False)
    shutil.copytree(somebody.checkout / "examples" / "first-lesson", somebody.checkout / "water-cycle")
    (somebody.checkout / "water-cycle" / "reinmaker.toml").unlink()
    with secret_service(tmp_path / "run", somebody.variables) as variables:
        somebody.variables |= variables
        yield somebody
        somebody.leave()


def type_all(reader, page, environment="staging", known=None):
    """Type the lines of a page; each must end well, and say what is shown below it.

    `known`: what the page cannot know → what this reader types instead.
    """
    known = {"DATA": f"{reader.home}/.local/share/reinmaker"} | (known or {})
    for line, shown in session_of(page):
        if line in NOT_TYPED:
            continue
        if line.startswith("export "):
            reader.variables |= exported(reader, line, environment)
            continue
        typed = re.sub(rf"\b({'|'.join(map(re.escape, known))})\b", lambda word: known[word[0]], line)
        if assigned := re.fullmatch(r"(\w+)=\$\((.*)\)", typed):
            reader.variables[assigned[1]] = reader.type(assigned[2]).strip()
            continue
        # What targets do takes minutes; that they are there, and what they need is, does not.
        said = reader.type(typed.replace("make ", f"make --dry-run --directory {ROOT} "))
        assert reader.code == 0, (line, said)
        assert comparable(shown.split("…\n")[0]) in comparable(said), (line, said)
        if line.startswith("reinmaker local client add"):
            shown_once = dict(row.split(maxsplit=1) for row in said.splitlines()[:2])
            reader.clients["ci"] = {ID_VARIABLE: shown_once["client"], SECRET_VARIABLE: shown_once["secret"]}
        if line.startswith("reinmaker webhooks endpoints add") and (made := re.search(r"ep_[0-9a-f]+", said)):
            known["ENDPOINT"] = made[0]


def comparable(text):
    """The text without what differs from run to run: numbers and ids, the columns that they make, what is drawn."""
    text = "\n".join(line for line in text.splitlines() if "─" not in line)
    return " ".join(re.sub(r"(?<![A-Za-z0-9])(?:[0-9a-f]{16,}|\d[\d.:TZ-]*)", "#", text).split())


def exported(reader, line, environment):
    """The variables of a line, with what the reader knows in the place of `…`."""
    given = dict(part.split("=") for part in line.split()[1:])
    client = reader.clients.get("ci", reader.clients[environment]) | {"REINMAKER_WEBHOOK_SECRET": WEBHOOK_SECRET}
    if SECRET_FILE_VARIABLE in given:
        reader.variables.pop(SECRET_VARIABLE)
        secret = reader.home / "secret"
        secret.write_text(client[SECRET_VARIABLE] + "\n")
        given[SECRET_FILE_VARIABLE] = str(secret)
    return {name: client[name] if value == "…" else value for name, value in given.items()}


def test_no_line_is_excused_that_no_page_has():
    assert set(NOT_TYPED) <= {line for page in pages() for line in typed_in(page)}


def test_each_page_with_a_session_is_typed_here():
    guides = ("deploy", "keyring", "local-server", "offline", "uploading", "webhooks")
    assert pages() == ["README.md", "SECURITY.md", *(f"docs/{name}.md" for name in guides)]
    assert all(line in NOT_TYPED for line in typed_in("SECURITY.md"))


HELD = {
    ("README.md", "toml"): "a table of the user's own; test_settings.py and test_remote.py have such files",
    ("docs/architecture.md", "text"): "a tree of rooms; test_house.py has who may import whom",
    ("docs/ci.md", "yaml"): "test_pipeline.py runs each step",
    ("docs/ci.md", "groovy"): "test_pipeline.py runs each step",
    ("docs/ci.md", "text"): "test_pipeline.py writes it",
    ("docs/ci.md", "markdown"): "test_pipeline.py writes it",
    (
        "docs/contract.md",
        "json",
    ): "shows documents; test_openapi.py and test_openapi_live.py hold real ones to the contract",
    ("docs/contract.md", "text"): "shows how statuses follow each other; test_model.py walks through them",
    ("docs/python.md", "python"): "test_docs.py runs it",
    (
        "docs/python.md",
        "python no-run",
    ): "needs staging; the same calls as the example before it, with other credentials",
    ("docs/reinmaker-toml.md", "toml"): "test_docs.py loads it",
    ("docs/uploading.md", "json"): "a policy that only S3 could judge",
    ("docs/webhooks.md", "http"): "shows the form of a file; test_captures.py reads such files",
    ("docs/webhooks.md", "js"): "test_webhook_receivers.py runs it",
    ("docs/webhooks.md", "python"): "test_webhook_receivers.py runs it",
    ("docs/webhooks.md", "text"): "what the receiver shows meanwhile; test_webhooks_local.py has it",
}
"""Page and language of its fences, where they are no session → what holds them, or why nothing does."""


def test_every_fence_is_typed_or_says_why_not():
    found = set()
    for page in all_pages():
        fences = re.findall(r"^ *```(.*)", (ROOT / page).read_text(encoding="utf-8"), flags=re.M)
        found |= {(page, language) for language in fences[::2]}
    assert {where for where in found if where[1] != "console"} == set(HELD)
    assert {page for page, language in found if language == "console"} == RECORDED | set(pages())


@needs_terminals
@needs_keyring
def test_the_lines_of_the_readme(reader):
    address = f"http://localhost:{reader.variables['REINMAKER_PORT']}"
    own = reader.home / ".config" / "reinmaker" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text(f'[env.ci]\napi_url = "{address}"\n')
    type_all(reader, "README.md", "production")
    assert json.loads((reader.checkout / "result.json").read_text())["environment"]["name"] == "production"


@needs_terminals
@needs_keyring
def test_the_lines_about_the_keyring(reader):
    reader.folder = reader.checkout / "examples" / "first-lesson"
    reader.answers["reinmaker auth rotate"] = {"new secret for ": reader.clients["staging"][SECRET_VARIABLE]}
    type_all(reader, "docs/keyring.md")


@needs_terminals
@needs_keyring
def test_the_lines_about_uploading(reader):
    reader.folder = reader.checkout / "examples" / "first-lesson"
    reader.type("reinmaker auth login --env staging")
    type_all(reader, "docs/uploading.md")
    assert list((reader.checkout / "examples" / "bucket").rglob("*.wav"))


@needs_terminals
@needs_keyring
@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="sqlite3 is not here")
def test_the_lines_about_a_server_for_others(reader):
    reader.type("reinmaker serve")
    type_all(reader, "docs/deploy.md")
    assert (reader.checkout / "nightly.sqlite3").stat().st_size > 0


@needs_terminals
@needs_keyring
def test_the_lines_about_the_local_server(reader):
    reader.folder = reader.checkout / "examples" / "first-lesson"
    for line in ("reinmaker serve", "reinmaker webhooks listen", "reinmaker publish"):
        reader.type(line)
    in_a_month = (datetime.now(UTC) + timedelta(days=30)).date()
    beyond = {"0.0.0.0": "127.0.0.1", "7041": str(own_port())}  # nothing here listens beyond this machine
    type_all(reader, "docs/local-server.md", known={"2027-01-01": str(in_a_month), "ID": "0" * 32, **beyond})


@needs_terminals
@needs_keyring
def test_the_lines_about_webhooks(reader, reinmaker, tmp_path):
    port, at = str(own_port()), datetime(2026, 11, 23, 11, 48, 4, tzinfo=UTC)
    body, seconds = b'{"type":"reinmaker.content.requested"}', int(at.timestamp())
    signature = sign(secret_bytes(WEBHOOK_SECRET), "msg_1", seconds, body)
    head = f"webhook-id: msg_1\nwebhook-timestamp: {seconds}\nwebhook-signature: {signature}\n\n"
    (reader.folder / "request.txt").write_bytes(head.encode() + body)
    somebodys = reinmaker.start("webhooks", "listen", "--port", port, REINMAKER_WEBHOOK_SECRET=WEBHOOK_SECRET)
    try:
        assert "listening" in somebodys.stderr.readline()
        type_all(reader, "docs/webhooks.md", known={"8080": port})
    finally:
        somebodys.terminate()
        somebodys.communicate()


NO_NETWORK = """\
def refuse(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        host = arguments[0] if event == "socket.getaddrinfo" else arguments[-1]
        host = host[0] if isinstance(host, tuple) else host
        if host not in (None, "localhost", b"localhost") and not str(host).startswith(("/", "127.", "::1")):
            raise OSError(101, "no network: " + repr(host))

sys.addaudithook(refuse)
"""


@needs_terminals
@needs_keyring
def test_the_lines_about_work_offline(reader):
    """With a command that can connect to nothing but this machine, where stand-ins for staging are too."""
    command = (reader.commands / "reinmaker").read_text()
    reader.put_command("reinmaker", command.replace("app.main()", f"{NO_NETWORK}\napp.main()"))
    reader.type("reinmaker init water-cycle")
    reader.folder = reader.checkout / "water-cycle"
    type_all(reader, "docs/offline.md")
    assert list((reader.checkout / "receipts").glob("*.receipt.json"))
