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
        timeout=100,
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
