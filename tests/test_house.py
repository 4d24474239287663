"""The plan of the house, held: who may import whom, where each library lives, what start-up costs, who prints."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reinmaker_cli.contract import codes

PACKAGE = Path(__file__).resolve().parent.parent / "reinmaker_cli"

MAY_IMPORT = {
    "contract": {"contract"},
    "assets": {"assets", "contract", "errors"},
    "manifest": {"manifest", "assets", "contract", "errors"},
    "buckets": {"buckets", "contract", "errors"},
    "client": {"client", "buckets", "manifest", "assets", "contract", "errors"},
    "server": {"server", "buckets", "contract", "errors"},
    "cli": {"cli", "server", "client", "buckets", "manifest", "assets", "contract", "errors", "settings"},
    "settings": {"assets", "contract", "errors"},
    "errors": {"contract"},
}
"""Room → the rooms it may import from; the package itself (`__version__`) is open to all."""

HOMES = {
    "typer": ("cli/",),
    "rich": ("cli/terminal.py", "cli/channel.py"),
    "platformdirs": ("cli/",),
    "watchfiles": ("cli/watch.py",),
    "keyring": ("client/keyring_store.py",),
    "secretstorage": ("client/keyring_store.py",),
    "h11": ("client/exchange.py",),
    "httpx": (
        *("client/connection.py", "client/posting.py", "client/tokens.py", "client/answers.py"),
        *("server/downloads.py", "server/http_urls.py"),
    ),
    "httpcore": (
        "server/connections.py",
        "server/downloads.py",
        "server/kept_connections.py",
        "server/sending.py",
        "server/http_urls.py",
        "server/forwarding_event_hubs.py",
    ),
    "truststore": ("client/connection.py", "server/"),
    "jsonschema": ("contract/validation.py",),
    "jsonschema_rs": ("contract/validation.py",),
    "pydantic": ("contract/models.py",),
    "pydantic_core": ("server/routes/submission_json.py",),
    "rfc8785": ("contract/canonical.py",),
    "yaml": ("server/", "contract/"),
    "pathspec": ("assets/",),
    "imagesize": ("assets/probes.py",),
    "tinytag": ("assets/probes.py",),
    "sqlalchemy": ("server/store/",),
    "alembic": ("server/store/upgrades.py", "server/store/migrations/"),
    "psycopg": ("server/store/",),
    "starlette": ("server/",),
    "uvicorn": ("server/",),
    "httptools": ("server/answering.py",),
    "joserfc": ("server/",),
    "cryptography": ("server/",),
    "anyio": ("server/",),
    "boto3": ("server/forwarding_sqs.py",),
    "botocore": ("server/forwarding_sqs.py", "buckets/access.py"),
    "obstore": ("buckets/",),
}
"""Library → where it may be imported. One without a home is a design question, not an import."""

HEAVY = ("typer", "rich", "httpx", "pydantic", "jsonschema", "jsonschema_rs", "keyring", "starlette", "uvicorn")
HEAVY += ("sqlalchemy", "pathspec", "yaml", "platformdirs", "ssl", "asyncio", "obstore", "botocore")


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports_of(file: Path) -> Iterator[str]:
    """Yield every module that a file imports, at its top or in a function."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {file}"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "reinmaker_cli")


def place_of(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def room_of(place: str) -> str:
    return place.split("/")[0].removesuffix(".py")


@pytest.mark.parametrize("file", sources(), ids=place_of)
def test_rooms_import_in_one_direction(file: Path) -> None:
    room = room_of(place_of(file))
    if room.startswith("__"):
        return
    imported = {name.split(".")[1] for name in imports_of(file) if name.startswith("reinmaker_cli.")}
    assert imported - {"__version__"} <= MAY_IMPORT[room]


@pytest.mark.parametrize("file", sources(), ids=place_of)
def test_libraries_stay_in_their_homes(file: Path) -> None:
    for name in {imported.split(".")[0] for imported in imports_of(file)}:
        if name in sys.stdlib_module_names or name == "reinmaker_cli":
            continue
        assert name in HOMES, f"{name} has no home"
        assert place_of(file).startswith(HOMES[name]), f"{name} does not live in {place_of(file)}"


@pytest.mark.parametrize("file", sources(), ids=place_of)
def test_nothing_heavy_is_imported_at_the_top_of_the_command_line(file: Path) -> None:
    if room_of(place_of(file)) not in ("cli", "settings", "errors"):
        return
    top = ast.parse(file.read_text(encoding="utf-8")).body
    heavy = set(HEAVY) - {"typer"}
    if place_of(file) == "cli/terminal.py":  # all of it is rich; nobody imports it at a top
        heavy -= {"rich"}
    for node in top:
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
            assert module.split(".")[0] not in heavy
            assert module != "reinmaker_cli.cli.terminal"


@pytest.mark.parametrize("file", sources(), ids=place_of)
def test_only_the_output_prints(file: Path) -> None:
    if place_of(file) in ("cli/output.py", "cli/streams.py"):
        return
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in {("sys", "stdout"), ("typer", "echo")}


@pytest.mark.parametrize("file", sources(), ids=place_of)
def test_files_are_short(file: Path) -> None:
    if place_of(file) == "contract/codes.py":  # a list of sentences
        return
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 330


def modules_loaded_by(*words: str) -> set[str]:
    """Return the names of all modules that a command line loads."""
    script = (
        "import sys\n"
        "from reinmaker_cli.cli.app import run_command_line\n"
        f"code = run_command_line({list(words)!r})\n"
        "sys.stderr.write('\\n'.join(sys.modules))\n"
        "sys.exit(code)"
    )
    ended = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, check=True)
    return set(ended.stderr.decode().split())


@pytest.mark.parametrize("words", [("--version",), ("--help",), (), ("auth", "--help")], ids=" ".join)
def test_light_answers_load_nothing_heavy(words: tuple[str, ...]) -> None:
    loaded = modules_loaded_by(*words)
    assert loaded.isdisjoint({*HEAVY, "typing", "dataclasses", "inspect", "json", "reinmaker_cli.contract"})


@pytest.mark.parametrize(
    "words",
    [("scan", "--help"), ("publish", "--help"), ("serve", "--help"), ("explain", "drift"), ("completion", "bash")],
)
def test_help_of_a_verb_and_completion_load_typer_and_nothing_else_heavy(words: tuple[str, ...]) -> None:
    assert modules_loaded_by(*words).isdisjoint(set(HEAVY) - {"typer"})


def test_a_scan_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """Not rich, which is for terminals; not pathspec, where there are no patterns."""
    (tmp_path / "a.glb").write_bytes(b"glTF")
    loaded = modules_loaded_by("scan", str(tmp_path), "--no-probe", "--events", str(tmp_path / "events"))
    assert loaded.isdisjoint(set(HEAVY) - {"typer", "platformdirs"})


def test_every_code_is_used() -> None:
    constants = {str(value): name for name, value in vars(codes).items() if isinstance(value, codes.Code)}
    text = "\n".join(
        file.read_text(encoding="utf-8")
        for file in [*sources(), *PACKAGE.rglob("*.yaml")]
        if place_of(file) != "contract/codes.py"
    )
    unused = {code for code, name in constants.items() if f"codes.{name}" not in text and f'"{code}"' not in text}
    assert unused == set()


def test_every_code_that_is_written_exists() -> None:
    for file in sources():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "codes":
                assert hasattr(codes, node.attr), f"{place_of(file)}: codes.{node.attr}"
