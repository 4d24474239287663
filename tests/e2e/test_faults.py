"""When things break on the way: lost answers, kills, a stopped server, a wrong secret, a proxy in the environment."""

import base64
import json
import os
import socket
import sqlite3
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote_plus

from tests.faults import Fault, fault_proxy
from tests.lessons import change_one_byte

KILLS = 30 if os.environ.get("REINMAKER_SOAK") else 3


def submissions(server):
    """What the stopped server's database holds: (manifest id, content digest, status) of each submission."""
    with sqlite3.connect(next(Path(server.ready["data"]).glob("*.sqlite*"))) as database:
        return database.execute("select manifest_id, content_digest, status from submissions").fetchall()


def data_folder_behind(server, proxy, tmp_path):
    """Return a data folder whose client.json leads through the proxy."""
    data = tmp_path / "behind-the-proxy"
    data.mkdir()
    client = json.loads((Path(server.ready["data"]) / "client.json").read_text())
    (data / "client.json").write_text(json.dumps(client | {"apiUrl": proxy.url}))
    return data


def test_a_lost_answer_to_the_first_post_makes_no_second_submission(reinmaker, serve, folder, tmp_path):
    server = serve()
    with fault_proxy(server.url, Fault(1, "drop")) as proxy:
        data = data_folder_behind(server, proxy, tmp_path)
        published = reinmaker("publish", folder, "--data", data, "--json")
    assert (published.code, published.outcomes) == (0, ["active"] * 2), published.err
    assert [result["reconciled"] for result in published.document["results"]] == [True, False]
    server.stop()
    assert len(submissions(server)) == 2


def test_a_lost_answer_after_a_rejection_is_not_taken_for_the_old_verdict(reinmaker, serve, folder, tmp_path):
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    server = serve("--map", f"s3://lotd-reinmaker-assets/water-cycle/={bucket}")
    manifest = tmp_path / "m.json"
    assert reinmaker("build", folder, "--only", "agePersona=2-5", "-o", manifest).code == 0
    late = reinmaker("publish", manifest, "--json")
    assert (late.code, late.outcomes) == (6, ["rejected"])

    for asset in json.loads(manifest.read_text())["assets"]:  # the upload that was late
        name = asset["url"].rpartition("/")[2]
        stem, _, rest = name.partition(".")
        (bucket / name).write_bytes((folder / f"{stem}.{rest.rpartition('.')[2]}").read_bytes())
    with fault_proxy(server.url, Fault(1, "drop")) as proxy:
        again = reinmaker("publish", manifest, "--data", data_folder_behind(server, proxy, tmp_path), "--json")
    assert (again.code, again.outcomes) == (0, ["active"]), again.err
    assert again.document["results"][0]["reconciled"] is True
    server.stop()
    assert [status for _, _, status in submissions(server)] == ["rejected", "active"]


def test_killed_at_any_instant_publish_continues_to_the_same_end(reinmaker, serve, folder):
    server = serve()
    started = time.monotonic()
    assert reinmaker("publish", folder).code == 0
    usual_s = time.monotonic() - started
    for number in range(KILLS):
        for file in sorted(folder.glob("*.mp3")):
            change_one_byte(file) if number % 2 else file.write_bytes(file.read_bytes() + bytes([number]))
        process = reinmaker.start("publish", folder)
        try:
            process.communicate(timeout=usual_s * (number + 1) / KILLS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        continued = reinmaker("publish", folder, "--json")
        assert continued.code == 0, continued.err
        assert set(continued.outcomes) <= {"active", "unchanged"}
        assert {result["status"] for result in continued.document["results"]} == {"active"}
    server.stop()
    found = submissions(server)
    assert len(found) == len({(manifest_id, digest) for manifest_id, digest, _ in found}) == 2 * (1 + KILLS)
    assert sum(status == "active" for _, _, status in found) == 2


def test_a_stopped_server_is_exit_7_and_safe_to_run_again(reinmaker, serve, folder):
    server = serve()
    server.stop()
    stopped = reinmaker("publish", folder, "--json")
    assert stopped.code == 7
    assert stopped.document["error"]["retryable"] is True
    assert "reinmaker serve" in stopped.err


def test_a_wrong_secret_is_exit_4(reinmaker, serve, folder):
    server = serve()
    path = Path(server.ready["data"]) / "client.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"clientSecret": "wrong"}))
    refused = reinmaker("publish", folder, "--json")
    assert refused.code == 4
    assert refused.document["error"]["code"] == "credentials-refused"


@contextmanager
def listening():
    """A port that counts who connects."""
    callers = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)

        def count():
            while listener.fileno() != -1:
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                except OSError:
                    return
                callers.append(connection)
                connection.close()

        thread = threading.Thread(target=count, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", callers
    thread.join()


def test_a_proxy_in_the_environment_hears_nothing_of_a_local_publication(reinmaker, serve, folder):
    serve()
    with listening() as (proxy, callers):
        variables = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"), proxy)
        assert reinmaker("publish", folder, **variables).code == 0
        assert reinmaker("rehearse", folder, **variables).code == 0
    assert callers == []


def test_the_secret_is_in_no_output_of_trace_and_verbose(reinmaker, serve, folder):
    server = serve()
    client = json.loads((Path(server.ready["data"]) / "client.json").read_text())
    secret, client_id = client["clientSecret"], client["clientId"]
    said = ""
    for words in (("publish", folder), ("auth", "status"), ("list",), ("health",), ("config", "show")):
        result = reinmaker(*words, "--trace", "-v") if words[0] != "config" else reinmaker(*words, "-v")
        said += result.out + result.err
    said += server.stop().err
    forms = (
        secret,
        base64.b64encode(f"{client_id}:{secret}".encode()).decode(),
        quote_plus(secret),
        client["controlToken"],
    )
    assert "POST" in said
    assert not any(form in said for form in forms)
    assert "Bearer ey" not in said
