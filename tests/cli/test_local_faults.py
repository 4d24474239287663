"""`local fault`: made, listed and ended from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reinmaker_cli.contract.faults import KINDS, FaultKind
from reinmaker_cli.server.running import ServerConfig, running_server
from tests.cli.command import Command


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a server."""
    folder = tmp_path_factory.mktemp("data")
    with running_server(ServerConfig(port=0, data=folder, log="off", network=False)):
        yield folder


@pytest.fixture
def local(reinmaker: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """The command line, with that server as environment `local`; without faults before and after."""
    monkeypatch.setenv("REINMAKER_DATA", str(data))
    yield reinmaker
    assert reinmaker("local", "fault", "clear").code == 0


@pytest.mark.parametrize("kind", list(FaultKind))
def test_every_kind_is_made_with_its_defaults(local: Command, kind: FaultKind) -> None:
    (made,) = local("local", "fault", "add", kind, "--json").document["results"]
    assert (made["kind"], made["match"], made["times"], made["left"], made["hits"]) == (kind, {}, 1, 1, 0)
    for name, setting in KINDS[kind].settings.items():
        assert made[name] == setting.default
    assert local("local", "fault", "--json").document["results"] == [made]


def test_everything_can_be_said_of_a_fault(local: Command) -> None:
    words = ("--method", "get", "--path", "/v1/*", "--client", "me", "--status", "503", "--retry-after", "2")
    more = ("--times", "always", "--probability", "0.5", "--seed", "7", "--for", "10m", "--json")
    (made,) = local("local", "fault", "add", "failure", *words, *more).document["results"]
    assert made["match"] == {"method": "GET", "path": "/v1/*", "clientId": "me"}
    assert (made["status"], made["retryAfterSeconds"]) == (503, 2)
    assert (made["times"], made["left"], made["probability"], made["seed"]) == (None, None, 0.5, 7)
    shown = local("local", "fault", "list").out
    assert "failure 503 retry-after=2" in shown
    assert "method=GET path=/v1/* clientId=me" in shown
    assert "0.5 with seed 7" in shown


def test_an_operation_and_deliveries_can_be_named(local: Command) -> None:
    local("local", "fault", "add", "drip", "--operation", "getManifest", "--delay", "250ms")
    words = ("--url", "http://localhost:8080/*", "--type", "reinmaker.content.requested")
    local("local", "fault", "add", "dns", *words)
    local("local", "fault", "add", "clock-skew", "--skew", "-1h30m")
    drip, dns, skew = local("local", "fault", "list", "--json").document["results"]
    assert drip["match"] == {"method": "GET", "path": "/v1/content/manifests/{manifestId}", "operation": "getManifest"}
    assert drip["delaySeconds"] == 0.25
    assert dns["match"] == {"url": "http://localhost:8080/*", "type": "reinmaker.content.requested"}
    assert skew["skewSeconds"] == -5400
    assert "clock-skew -1h 30m" in local("local", "fault").out


def test_the_list_says_how_often_each_has_struck(local: Command) -> None:
    (made,) = local("local", "fault", "add", "failure", "--times", "3", "--json").document["results"]
    assert local("health").code == 7
    listed = local("local", "fault")
    assert "1 of 3" in listed.out
    assert made["faultId"] in listed.out
    assert local("local", "fault", "list", "--quiet").out == made["faultId"] + "\n"


def test_faults_are_ended_one_by_one_or_all(local: Command) -> None:
    ids = [local("local", "fault", "add", "reset", "--quiet").out.strip() for _ in range(3)]
    assert local("local", "fault", "clear", ids[1], "--json").document["cleared"] == 1
    assert local("local", "fault", "--quiet").out.split() == [ids[0], ids[2]]
    assert local("local", "fault", "clear").out == "ended 2 faults\n"
    empty = local("local", "fault")
    assert (empty.out, empty.err) == ("", "no faults\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add",), "needs a kind"),
        (("add", "flood"), "no such kind of fault"),
        (("add", "reset", "--status", "500"), "`reset` takes no --status"),
        (("add", "latency", "--retry-after", "1"), "limited, failure"),
        (("add", "latency", "--delay", "1"), "--delay: no such duration"),
        (("add", "reset", "--times", "0"), "`--times always`"),
        (("add", "reset", "--times", "often"), "`--times always`"),
        (("add", "reset", "--for", "soon"), "--for: no such duration"),
        (("add", "clock-skew", "--skew", "--5m"), "--skew: no such duration"),
        (("list", "flt_1"), "takes no id"),
        (("list", "--path", "/v1/*"), "takes no options"),
        (("clear", "--times", "3"), "takes no options"),
        (("add", "limited", "--retry-after", "99999999999999999999"), "beyond"),
        (("add", "reset", "--client", "\udcff"), "not UTF-8"),
    ],
)
def test_what_cannot_be_meant_is_exit_2(local: Command, words: tuple[str, ...], said: str) -> None:
    ended = local("local", "fault", *words)
    assert ended.code == 2
    assert "error[usage]" in ended.err
    assert said in ended.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("add", "failure", "--status", "404"), "request-invalid"),
        (("add", "reset", "--probability", "2"), "request-invalid"),
        (("add", "reset", "--url", "http://localhost/"), "request-invalid"),
        (("add", "reset", "--operation", "fly"), "request-invalid"),
        (("clear", "flt_unknown"), "not-found"),
    ],
)
def test_what_the_server_refuses_is_exit_2_and_says_why(local: Command, words: tuple[str, ...], code: str) -> None:
    document = local("local", "fault", *words, "--json").document
    assert (document["exitCode"], document["error"]["code"]) == (2, code)


def test_a_fault_is_real_for_any_client(local: Command) -> None:
    url = local("health", "--json").document["environment"]["apiUrl"]
    local("local", "fault", "add", "empty", "--path", "/v1/health")
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{url}/v1/health", trust_env=False, timeout=120)
    assert httpx.get(f"{url}/v1/health", trust_env=False, timeout=120).status_code == 200
