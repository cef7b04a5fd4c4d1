"""Who may speak the certificate headers: the odd ways in which servers name the other end, and every near miss."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from sslclientcert.core.errors import ProxyUntrusted
from sslclientcert.core.peers import TrustedProxies

from .conftest import refused

DEFAULT = ("loopback", "unix")
UNIX_PEERS = [None, "", "localhost", "<local>", "0.0.0.0"]  # noqa: S104  # uWSGI's word for a unix socket


def admits(trusted: Any, peer: Any) -> bool:
    try:
        TrustedProxies(trusted).require(peer)
    except ProxyUntrusted:
        return False
    return True


@pytest.mark.parametrize("peer", UNIX_PEERS)
def test_every_servers_word_for_a_unix_socket_is_understood(peer: str | None) -> None:
    assert admits("unix", peer)
    assert admits(DEFAULT, peer)
    assert not admits("loopback", peer)
    assert not admits(["10.0.0.0/8", "0.0.0.0/0", "::/0"], peer)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "::FFFF:7f00:1"])
def test_loopback_is_both_families_and_the_mapped_form_that_dual_stack_sockets_tell(peer: str) -> None:
    assert admits("loopback", peer)
    assert admits(DEFAULT, peer)
    assert not admits("unix", peer)


@pytest.mark.parametrize(
    "peer",
    [
        *("10.0.0.7", "203.0.113.9", "::", "::2", "fe80::1", "0", "1", "127", "127.1", "2130706433", "0x7f000001"),
        *("127.0.0.1 ", " 127.0.0.1", "127.0.0.1\n", "127.0.0.1:8080", "[::1]", "127.0.0.1, 10.0.0.1", "127.0.0.01"),
        *("LOCALHOST", "localhost.", "localhost.example", "unix", "unix:", "unix:/run/x.sock", "/", "<LOCAL>", "*"),
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
    assert admits(trusted, None)
    assert not admits(trusted, "127.0.0.1")


@pytest.mark.parametrize("peer", [*UNIX_PEERS, "203.0.113.9", "::", "nonsense", 5, b"x", []])
@pytest.mark.parametrize("trusted", ["*", ["10.0.0.0/8", "*"]])
def test_a_star_admits_any_peer_on_purpose(trusted: Any, peer: Any) -> None:
    assert admits(trusted, peer)


@pytest.mark.parametrize("trusted", ["", ",", " , ", [], (), [""], [" "]])
def test_nobody_at_all_is_a_configuration_fault(trusted: Any) -> None:
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
    with refused("proxy_untrusted") as caught:
        TrustedProxies("10.0.0.0/8").require("")
    assert "unix socket" in caught.value.detail


def test_no_peer_is_forgotten_or_confused_among_more_than_are_remembered() -> None:
    proxies = TrustedProxies("10.0.0.0/9")
    for number in range(3000):
        inside, outside = f"10.0.{number // 250}.{number % 250}", f"10.200.{number // 250}.{number % 250}"
        proxies.require(inside)
        with pytest.raises(ProxyUntrusted):
            proxies.require(outside)
    proxies.require("10.0.0.0")
    assert len(proxies._answers) <= 1024


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
