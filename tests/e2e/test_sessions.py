"""Every line of a shell session in the documentation is typed, or listed below with the reason why it is not.

Pages that a test writes show what is said too and have tests of their own; here it is enough that a line works.
"""

import json
import re
import shutil

import pytest

from reinmaker_cli.client.credentials import SECRET_FILE_VARIABLE, SECRET_VARIABLE
from tests.cli.terminals import needs_terminals
from tests.e2e.newcomer import ROOT, Newcomer, sessions
from tests.secret_service import needs_keyring, secret_service

pytestmark = pytest.mark.timeout(600)  # twenty commands and more in a row, on a machine that does other things too

RECORDED = {"docs/errors.md", "docs/first-ten-minutes.md", "docs/tutorial.md"}
"""Pages that tests write: tests/trial, test_first_minutes.py, test_tutorial.py."""

POSTGRES = "hosts of somebody's PostgreSQL; test_postgres.py and test_processes.py have a real one"
NOT_TYPED = {
    "git clone … reinmaker && cd reinmaker": "only the reader knows from where",
    "pipx install .": "wants the package index",
    "pip install 'reinmaker[postgres]'": "wants the package index",
    "pip install 'reinmaker[s3]'": "wants the package index",
    "pipx run pip-audit --disable-pip --require-hashes -r requirements-dev.lock": "asks the index for advisories",
    "npm audit --prefix tests/proof/node": "asks the registry for advisories",
    'while IFS=$\'\\t\' read -r file url; do aws s3 cp --no-progress "$file" "$url"; done < ../plan.tsv': "wants AWS",
    "createuser reinmaker --pwprompt && createdb --owner reinmaker reinmaker": POSTGRES,
    "reinmaker serve --database postgresql://reinmaker@db.internal/reinmaker --workers 4": POSTGRES,
    "reinmaker serve --database postgresql://reinmaker@db/reinmaker --behind-proxy --public-url https://api.example"
    " --control-port 7041": POSTGRES,
}


def without_remark(line):
    return re.sub(r"\s+#.*", "", line)


def typed_in(page):
    """The lines of a page's sessions, but for those that test_first_minutes.py types."""
    text = (ROOT / page).read_text(encoding="utf-8")
    text = re.sub(r"^## First ten minutes\n.*?(?=^## )", "", text, flags=re.M | re.S)
    return [without_remark(line) for lines in sessions(text) for line in lines]


def pages():
    found = [path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))]
    return sorted(page for page in found if page not in RECORDED and typed_in(page))


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


def type_all(reader, page, environment="staging"):
    """Type the lines of a page; each must end well."""
    for line in typed_in(page):
        if line in NOT_TYPED:
            continue
        if line.startswith("export "):
            reader.variables |= exported(reader, line, environment)
            continue
        # What targets do takes minutes; that they are there, and what they need is, does not.
        typed = line.replace("make ", f"make --dry-run --directory {ROOT} ")
        said = reader.type(typed.replace("DATA/", f"{reader.home}/.local/share/reinmaker/"))
        assert reader.code == 0, (line, said)


def exported(reader, line, environment):
    """The variables of a line, with what the reader knows in the place of `…`."""
    given = dict(part.split("=") for part in line.split()[1:])
    client = reader.clients[environment]
    if SECRET_FILE_VARIABLE in given:
        reader.variables.pop(SECRET_VARIABLE)
        secret = reader.home / "secret"
        secret.write_text(client[SECRET_VARIABLE] + "\n")
        given[SECRET_FILE_VARIABLE] = str(secret)
    return {name: client[name] if value == "…" else value for name, value in given.items()}


def test_no_line_is_excused_that_no_page_has():
    assert set(NOT_TYPED) <= {line for page in pages() for line in typed_in(page)}


def test_each_page_with_a_session_is_typed_here():
    assert pages() == ["README.md", "SECURITY.md", "docs/deploy.md", "docs/keyring.md", "docs/uploading.md"]
    assert all(line in NOT_TYPED for line in typed_in("SECURITY.md"))


@needs_terminals
@needs_keyring
def test_the_lines_of_the_readme(reader):
    event = {"eventId": "e-1", "type": "t", "occurredAt": "2026-11-23T07:00:00Z", "userId": "user-1"}
    (reader.checkout / "water-cycle" / "events.jsonl").write_text(json.dumps(event) + "\n")
    with (reader.checkout / "water-cycle" / ".reinmakerignore").open("a") as ignored:
        ignored.write("/events.jsonl\n")
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
