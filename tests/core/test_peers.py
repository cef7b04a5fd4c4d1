"""Who may speak the certificate headers: the odd ways in which servers name the other end, and every near miss."""

from __future__ import annotations

import socket
import threading
from typing import Any, NamedTuple

import pytest

from sslclientcert.core.errors import ProxyUntrusted
from sslclientcert.core.peers import DEFAULT_TRUSTED_PROXIES, TrustedProxies, peer_of_environ, peer_of_scope

from .conftest import refused

DEFAULT = DEFAULT_TRUSTED_PROXIES
WORDS_FOR_UNIX = ["unix", "localhost", "<local>", "0.0.0.0"]  # noqa: S104  # uWSGI's word for a unix socket
NOBODY: list[str | None] = [None, ""]


def admits(trusted: Any, peer: Any) -> bool:
    try:
        TrustedProxies(trusted).require(peer)
    except ProxyUntrusted:
        return False
    return True


# What a gateway says of the peer


class Connection(NamedTuple):
    """A server's end of a connection."""

    family: int
    name: Any = None

    def getpeername(self) -> Any:
        if isinstance(self.name, OSError):
            raise self.name
        return self.name


TCP, ON_UNIX = Connection(socket.AF_INET, ("10.0.0.1", 5)), Connection(socket.AF_UNIX, "")


@pytest.mark.parametrize(
    ("environ", "peer"),
    [
        ({"REMOTE_ADDR": "10.0.0.7"}, "10.0.0.7"),
        ({"REMOTE_ADDR": "10.0.0.7", "SERVER_NAME": "/run/app.sock"}, "10.0.0.7"),
        *(({"REMOTE_ADDR": word}, "unix") for word in WORDS_FOR_UNIX),
        ({"REMOTE_ADDR": "", "gunicorn.socket": ON_UNIX, "SERVER_NAME": "localhost"}, "unix"),
        ({"REMOTE_ADDR": "", "SERVER_NAME": "/run/app.sock", "SERVER_SOFTWARE": "Granian"}, "unix"),
    ],
    ids=str,
)
def test_a_wsgi_server_tells_the_address_or_shows_its_unix_socket(environ: dict[str, Any], peer: str) -> None:
    assert peer_of_environ(environ) == peer


@pytest.mark.parametrize("told", [{}, {"REMOTE_ADDR": ""}, {"REMOTE_ADDR": None}], ids=str)
@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"SERVER_NAME": "/run/app.sock"},
        {"SERVER_NAME": "/run/app.sock", "SERVER_SOFTWARE": "gunicorn/27.0.1"},
        {"SERVER_NAME": "/run/app.sock", "SERVER_SOFTWARE": "Granian", "gunicorn.socket": TCP},
        {"SERVER_NAME": "localhost", "SERVER_SOFTWARE": "Granian"},
        {"HTTP_HOST": "/run/app.sock", "HTTP_X_FORWARDED_FOR": "unix"},
    ],
    ids=str,
)
def test_without_an_address_a_hosts_name_that_is_a_path_shows_no_unix_socket(
    environ: dict[str, Any], told: dict[str, Any]
) -> None:
    assert peer_of_environ({**environ, **told}) is None


@pytest.mark.parametrize(
    ("scope", "peer"),
    [
        ({"client": ("10.0.0.7", 5), "server": ("/run/app.sock", None)}, "10.0.0.7"),
        ({"client": ["10.0.0.7", "5"]}, "10.0.0.7"),
        ({"client": None, "server": ("/run/app.sock", None)}, "unix"),  # uvicorn
        ({"client": ["", "0"], "server": ["/run/app.sock", "0"]}, "unix"),  # granian
        ({"client": None, "server": ("/", "t")}, "unix"),  # gunicorn
        ({"client": None, "server": ("127.0.0.1", 8000)}, None),
        ({"client": None, "server": ("/run/app.sock", 80)}, None),  # the Host header, under Mangum
        ({"client": None, "server": None}, None),
        ({"client": None, "server": ()}, None),
        ({"client": None, "server": "/run/app.sock"}, None),
        ({"client": ("unix", 0), "server": ("127.0.0.1", 8000)}, None),  # X-Forwarded-For: unix, under uvicorn
        ({"client": ("localhost", 0)}, "localhost"),
        ({}, None),
    ],
    ids=str,
)
def test_an_asgi_server_tells_the_address_or_shows_its_unix_socket(scope: dict[str, Any], peer: str | None) -> None:
    assert peer_of_scope(scope) == peer


def fixed(told: Any, claims: str, **environ: Any) -> dict[str, Any]:
    """The environ behind ProxyFix."""
    return {
        "REMOTE_ADDR": "203.0.113.5",
        "HTTP_X_FORWARDED_FOR": claims,
        "werkzeug.proxy_fix.orig": {"REMOTE_ADDR": told},
        **environ,
    }


@pytest.mark.parametrize("claims", ["203.0.113.5", "10.0.0.11, 203.0.113.5", "110.0.0.1", "unix", ""])
def test_behind_one_proxy_fix_the_peer_is_whom_the_server_told(claims: str) -> None:
    assert peer_of_environ(fixed("10.0.0.1", claims)) == "10.0.0.1"
    assert peer_of_environ(fixed("", claims)) is None
    assert peer_of_environ(fixed("", claims, **{"gunicorn.socket": ON_UNIX})) == "unix"


@pytest.mark.parametrize(
    "claims",
    [
        *("10.0.0.1", "203.0.113.5, 10.0.0.1", "10.0.0.1,203.0.113.5", '203.0.113.5,"10.0.0.1"', "10.0.0.1\x85,a"),
        *('"10.0.0\\.1"', '203.0.113.5, "10\\.0.0.1"', "\xa010.0.0.1 , 203.0.113.5"),
    ],
    ids=ascii,
)
def test_behind_two_the_peer_may_be_of_the_clients_choice_and_is_trusted_by_nobody(claims: str) -> None:
    reset = Connection(socket.AF_INET, OSError(107, "not connected"))
    other = Connection(socket.AF_INET, ("198.51.100.1", 5))
    for shown in ({}, {"gunicorn.socket": other}, {"werkzeug.socket": other}, {"gunicorn.socket": reset}):
        peer = peer_of_environ(fixed("10.0.0.1", claims, **shown))
        for trusted in (["10.0.0.1"], "0.0.0.0/0, ::/0", "loopback, unix, unaddressed"):
            with refused("proxy_untrusted") as caught:
                TrustedProxies(trusted).require(peer)
            assert "ProxyFix" in caught.value.detail


@pytest.mark.parametrize("key", ["gunicorn.socket", "werkzeug.socket"])
def test_a_client_on_the_host_of_the_proxy_is_told_apart_where_the_server_shows_its_socket(key: str) -> None:
    assert peer_of_environ(fixed("10.0.0.1", "10.0.0.1", **{key: TCP})) == "10.0.0.1"


# Whom the entries trust


@pytest.mark.parametrize("word", WORDS_FOR_UNIX[1:])
def test_a_servers_word_for_a_unix_socket_is_no_address(word: str) -> None:
    assert not admits([*DEFAULT, "10.0.0.0/8", "unaddressed"], word)


def test_a_unix_socket_is_trusted_by_its_word_alone() -> None:
    assert admits("unix", "unix")
    assert admits(DEFAULT, "unix")
    assert not admits(["loopback", "unaddressed", "10.0.0.0/8", "0.0.0.0/0", "::/0"], "unix")


@pytest.mark.parametrize("peer", NOBODY)
def test_a_peer_without_an_address_is_trusted_on_purpose_alone(peer: str | None) -> None:
    assert not admits([*DEFAULT, "loopback", "0.0.0.0/0", "::/0"], peer)
    assert admits("unaddressed", peer)
    assert not admits("unaddressed", "unix")
    assert not admits("unaddressed", "unaddressed")


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "::FFFF:7f00:1"])
def test_loopback_is_both_families_and_the_mapped_form_that_dual_stack_sockets_tell(peer: str) -> None:
    assert admits("loopback", peer)
    assert not admits("unix", peer)


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        *(("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True)),
        *(("127.0.0.6", False), ("127.0.0.2", False), ("::ffff:127.0.0.6", False)),
    ],
)
def test_the_default_is_this_host_and_not_the_sidecar_of_a_mesh(peer: str, trusted: bool) -> None:
    assert admits(DEFAULT, peer) is trusted


@pytest.mark.parametrize(
    "peer",
    [
        *("10.0.0.7", "203.0.113.9", "::", "::2", "fe80::1", "0", "1", "127", "127.1", "2130706433", "0x7f000001"),
        *("127.0.0.1 ", " 127.0.0.1", "127.0.0.1\n", "127.0.0.1:8080", "[::1]", "127.0.0.1, 10.0.0.1", "127.0.0.01"),
        *("LOCALHOST", "localhost.", "localhost.example", "UNIX", "unix:", "unix:/run/x.sock", "/", "<LOCAL>", "*"),
        *("loopback", "None", "null", "unknown", "-", "_hidden", "@", "\0", "１２７.0.0.1", "\ud800", "0.0.0.0/0"),
        *("::ffff:10.0.0.7", "64:ff9b::7f00:1", "::127.0.0.1", "2002:7f00:1::", "x" * 100_000),
    ],
    ids=lambda peer: ascii(peer)[:24],
)
def test_nothing_that_merely_looks_like_it_is_loopback_or_a_unix_socket(peer: str) -> None:
    assert not admits(DEFAULT, peer)


@pytest.mark.parametrize("peer", [5, 0, b"127.0.0.1", b"", ["127.0.0.1"], ("127.0.0.1", 80), {}, object(), 1.5, True])
def test_a_peer_that_is_no_text_is_refused(peer: Any) -> None:
    with refused("proxy_untrusted"):
        TrustedProxies(DEFAULT).require(peer)


@pytest.mark.parametrize(
    ("trusted", "peer", "expected"),
    [
        ("10.0.0.7", "10.0.0.7", True),
        ("10.0.0.7", "10.0.0.8", False),
        ("10.0.0.0/8", "10.255.255.255", True),
        ("10.0.0.0/8", "11.0.0.0", False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/255.0.0.0", "10.1.2.3", True),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db8::/32", "2001:DB8:0::0001", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("2001:db8::/32", "32.1.13.184", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("fe80::1", "fe80::1%eth1", True),
        ("fe80::1", "fe80::2%eth0", False),
        ("0.0.0.0/0", "203.0.113.9", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("::/0", "203.0.113.9", False),
    ],
)
def test_addresses_and_networks_of_either_family(trusted: str, peer: str, expected: bool) -> None:
    assert admits(trusted, peer) is expected


@pytest.mark.parametrize("trusted", ["10.0.0.7,unix", " 10.0.0.7 , unix ,", ["10.0.0.7", "unix"], {"10.0.0.7", "unix"}])
def test_entries_come_as_a_list_or_with_commas(trusted: Any) -> None:
    assert admits(trusted, "10.0.0.7")
    assert admits(trusted, "unix")
    assert not admits(trusted, "127.0.0.1")


@pytest.mark.parametrize("peer", [*NOBODY, *WORDS_FOR_UNIX, "203.0.113.9", "::", "nonsense", 5, b"x", []])
@pytest.mark.parametrize("trusted", ["*", ["10.0.0.0/8", "*"]])
def test_a_star_admits_any_peer_on_purpose(trusted: Any, peer: Any) -> None:
    assert admits(trusted, peer)


@pytest.mark.parametrize("trusted", ["", ",", " , ", [], (), [""], [" "]])
def test_trusting_no_peer_is_a_configuration_fault(trusted: Any) -> None:
    with pytest.raises(ValueError, match='"\\*" says any peer'):
        TrustedProxies(trusted)


@pytest.mark.parametrize(
    "entry",
    [
        *(
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0",
            "10.0.0.256",
            "example.org",
            "nginx",
            "UNIX",
            "Loopback",
        ),
        *("fe80::1%eth0", "fe80::%eth0/10", "::ffff:10.0.0.7", "::ffff:10.0.0.0/104"),
        *("10.0.0.0-10.0.0.9", "::1/129", "http://10.0.0.1", "**", "*.example.org", "10.0.0.0/8 10.1.0.0/16", "any"),
    ],
)
def test_an_entry_that_is_no_address_is_a_configuration_fault_that_names_it(entry: str) -> None:
    with pytest.raises(ValueError, match="trusted_proxies") as caught:
        TrustedProxies(["loopback", entry])
    assert repr(entry) in str(caught.value)


@pytest.mark.parametrize("trusted", [None, 5, [5], [None], b"unix", [b"unix"], [["unix"]]])
def test_entries_that_are_no_text_are_never_taken_for_some_network(trusted: Any) -> None:
    with pytest.raises((TypeError, ValueError)):  # ipaddress reads four bytes as an address
        TrustedProxies(trusted)


def test_a_refusal_names_the_peer_and_the_setting_and_a_server_that_rewrites_the_peer() -> None:
    with refused("proxy_untrusted") as caught:
        TrustedProxies("10.0.0.0/8,unix").require("203.0.113.9\r\nforged line")
    for expected in ("203.0.113.9", "trusted_proxies", "10.0.0.0/8, unix", "--no-proxy-headers"):
        assert expected in caught.value.detail


@pytest.mark.parametrize(
    ("peer", "remedy"),
    [(None, '"unaddressed"'), ("", '"unaddressed"'), ("unix", 'Add "unix"'), ("10.0.0.1", "address")],
)
def test_a_refusal_says_what_to_do(peer: str | None, remedy: str) -> None:
    with refused("proxy_untrusted") as caught:
        TrustedProxies("192.0.2.1").require(peer)
    assert remedy in caught.value.detail


@pytest.mark.parametrize(
    ("trusted", "everybody"),
    [
        *(("*", True), ("0.0.0.0/0", True), ("::/0", True), ("0.0.0.0/1,128.0.0.0/1", True)),
        *(("128.0.0.0/1, unix, 0.0.0.0/2, 64.0.0.0/2", True), ("::/1, 8000::/1", True), ("::/1, 128.0.0.0/1", False)),
        *(("0.0.0.0/1", False), ("loopback, unix, unaddressed", False), ("10.0.0.0/8", False)),
    ],
)
def test_networks_that_together_are_everything_are_known(trusted: str, everybody: bool) -> None:
    assert TrustedProxies(trusted).everybody is everybody


def test_no_peer_is_forgotten_or_confused_among_more_than_are_remembered() -> None:
    proxies = TrustedProxies("10.0.0.0/9")
    for number in range(3000):
        inside, outside = f"10.0.{number // 250}.{number % 250}", f"10.200.{number // 250}.{number % 250}"
        proxies.require(inside)
        with pytest.raises(ProxyUntrusted):
            proxies.require(outside)
    proxies.require("10.0.0.0")
    assert proxies._is_trusted.cache_info().currsize <= 1024


def test_threads_may_ask_at_once() -> None:
    proxies, wrong = TrustedProxies("10.0.0.0/9"), []

    def ask(start: int) -> None:
        for number in range(start, start + 1500):
            for second, expected in (("0", True), ("200", False)):
                try:
                    proxies.require(f"10.{second}.{number // 250}.{number % 250}")
                    answer = True
                except ProxyUntrusted:
                    answer = False
                if answer is not expected:
                    wrong.append(number)

    threads = [threading.Thread(target=ask, args=(start,)) for start in (0, 700, 1400, 2100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
