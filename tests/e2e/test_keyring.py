"""`reinmaker auth` with a real Secret Service, in a session of its own; and the same folder in two environments."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lessons import lesson

TOOLS = ("dbus-run-session", "gnome-keyring-daemon")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

SESSION = """
printf %s pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null
R="$PYTHON -m reinmaker_cli"
run() { echo "## $*" >&2; "$@"; echo "exit $?" >&2; }
run $R publish --env mirror "$FOLDER" --no-input
run $R auth login --env mirror --client-id "$ID" --secret-stdin <<<"wrong$SECRET"
run $R auth status --env mirror
run $R auth login --env mirror --client-id "$ID" --secret-stdin <<<"$SECRET"
run $R auth status --env mirror
run $R publish --env mirror "$FOLDER"
run $R auth logout --env mirror
run $R publish --env mirror "$FOLDER" --no-input
"""


@pytest.fixture
def session(reinmaker, serve, tmp_path):
    """What the commands of SESSION said and how each ended, against a server in environment `mirror`."""
    server = serve("--verify", "available")
    client = json.loads((Path(server.ready["data"]) / "client.json").read_text())
    folder = lesson(tmp_path / "water-cycle", ages=["2-5"])
    assert reinmaker("init", folder).code == 0
    config = tmp_path / "config.toml"
    config.write_text(f'[env.mirror]\napi_url = "{server.url}"\n')
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    variables = {
        **reinmaker.environment,
        "PYTHON": sys.executable,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "XDG_RUNTIME_DIR": str(runtime),
        "REINMAKER_CONFIG": str(config),
        "FOLDER": str(folder),
        "ID": client["clientId"],
        "SECRET": client["clientSecret"],
    }
    ended = subprocess.run(
        ["dbus-run-session", "--", "bash", "-c", SESSION],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return client["clientSecret"], ended.stdout + ended.stderr, ended.stderr.split("## ")[1:]


def test_a_secret_is_proved_kept_used_and_forgotten(session):
    secret, said, parts = session
    codes = [int(part.rsplit("exit ", 1)[1]) for part in parts]
    assert codes == [4, 4, 4, 0, 0, 0, 0, 4], said
    assert "error[credentials-missing]" in parts[0]
    assert "error[credentials-refused]" in parts[1]
    assert secret not in said


LOCKED = """
printf %s pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null
R="$PYTHON -m reinmaker_cli doctor --env mirror --json"
$R > "$HOME/open.json"
busctl --user call org.freedesktop.secrets /org/freedesktop/secrets org.freedesktop.Secret.Service Lock ao 1 \\
  /org/freedesktop/secrets/collection/login >/dev/null 2>&1 || dbus-send --session --print-reply \\
  --dest=org.freedesktop.secrets /org/freedesktop/secrets org.freedesktop.Secret.Service.Lock \\
  array:objpath:/org/freedesktop/secrets/collection/login >/dev/null
$R > "$HOME/locked.json"
"""


def test_the_doctor_sees_a_locked_keyring_and_prompts_nobody(reinmaker, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text('[env.mirror]\napi_url = "https://192.0.2.1"\n')
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    variables = {
        **reinmaker.environment,
        "PYTHON": sys.executable,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "XDG_RUNTIME_DIR": str(runtime),
        "REINMAKER_CONFIG": str(config),
    }
    command = ["dbus-run-session", "--", "bash", "-c", LOCKED]
    subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, timeout=240, check=False)
    found = {
        name: {one["check"]: one for one in json.loads((reinmaker.home / name).read_text())["results"]}
        for name in ("open.json", "locked.json")
    }
    assert found["open.json"]["keyring"]["outcome"] == "passed", found["open.json"]["keyring"]
    assert found["open.json"]["secret"]["code"] == "credentials-missing"
    assert found["locked.json"]["keyring"]["code"] == "keyring-locked"
    assert "secret" not in found["locked.json"]
