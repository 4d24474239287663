"""Addresses: which are this machine, which may be spoken to in clear, and where secrets and tokens go."""

from __future__ import annotations

import pytest

from reinmaker_cli.client.environment import Environment, is_loopback, origin_of
from reinmaker_cli.errors import ConfigError, UsageError


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "127.0.0.1",
        "127.255.1.2",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:0:0:1]",
    ],
)
def test_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(f"http://{host}:7040")


@pytest.mark.parametrize(
    "host",
    [
        *("api.reinmaker.com", "localhost.evil.example", "evil-localhost", "sub.localhost", "127.0.0.1.nip.io"),
        *("0.0.0.0", "127.1", "0x7f.0.0.1", "2130706433", "10.0.0.1", "[::ffff:10.0.0.1]", "[::]"),
    ],
)
def test_everything_else_is_not(host: str) -> None:
    assert not is_loopback(f"http://{host}:7040")


@pytest.mark.parametrize("field", ["api_url", "issuer", "token_url"])
def test_plain_http_beyond_this_machine_is_refused(field: str) -> None:
    urls = {"api_url": "https://api.example", "issuer": None, "token_url": None, field: "http://api.example"}
    with pytest.raises(UsageError) as caught:
        Environment.checked("staging", **urls)
    assert caught.value.code == "plain-http"


def test_the_named_local_host_may_be_plain_for_environment_local_only() -> None:
    env = Environment.checked("local", "http://twin:7040", local_host="twin")
    assert env.api_url == "http://twin:7040"
    with pytest.raises(UsageError):
        Environment.checked("staging", "http://twin:7040", local_host="twin")
    with pytest.raises(UsageError):
        Environment.checked("local", "http://other:7040", local_host="twin")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "localhost:7040",
            "ftp://localhost",
            "https://",
            "https://user:secret@host",
            "https://host:port",
            "https://a b",
        ),
        *("https://host\\@evil.example", "https://host?x=1", "https://host#x", "https://[::1", ""),
    ],
)
def test_what_readers_of_urls_disagree_about_is_no_address(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        origin_of(url)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("https://bücher.example", "xn--bcher-kva.example"),
        ("https://BÜCHER.example:8443/api", "xn--bcher-kva.example"),
        ("https://\u0430pi.reinmaker.com", "xn--pi-6kc.reinmaker.com"),  # a Cyrillic letter that looks like ours
        ("https://straße.example", "xn--…"),  # two hosts, by the older rules and by the newer
        ("https://☃..example", "xn--…"),
        ("https://a_ü." + "x" * 64, "xn--…"),
    ],
)
def test_a_host_that_is_not_in_ascii_is_written_as_dns_has_it(url: str, label: str) -> None:
    with pytest.raises(ConfigError, match="not an address") as caught:
        origin_of(url)
    assert caught.value.hint == f"write the host as DNS has it: `{label}`"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTPS://Api.Example/path", "https://api.example"),
        ("https://api.example:443", "https://api.example"),
        ("http://localhost:80", "http://localhost"),
        ("https://[::1]:8443/", "https://[::1]:8443"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_the_secret_goes_to_the_issuer_and_the_token_to_the_api() -> None:
    env = Environment.checked("staging", "https://api.example", issuer="https://auth.example/tenant")
    assert (env.api_origin, env.token_origin, env.known_token_url) == (
        "https://api.example",
        "https://auth.example",
        None,
    )


def test_an_api_without_an_issuer_issues_its_own_tokens() -> None:
    env = Environment.checked("local", "http://localhost:7040/")
    assert env.known_token_url == "http://localhost:7040/oauth/token"
