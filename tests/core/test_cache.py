"""The cache: bounded in entries and in bytes, forgetting the least recently used, and no lock on the way to a hit."""

from __future__ import annotations

import random
import subprocess
import sys
import threading

import pytest

from sslclientcert.core.cache import Cache


def filled(count: int, *, entries: int = 100, size: int = 1_000_000, each: int = 1) -> Cache[object, int]:
    cache: Cache[object, int] = Cache(entries, lambda key, _: 51 if key == "large" else each, size)
    for number in range(count):
        cache.put(number, number)
    return cache


def test_what_was_put_is_got_and_anything_else_is_not() -> None:
    cache = filled(10)

    assert [cache.get(number) for number in range(12)] == [*range(10), None, None]


def test_clearing_forgets_everything() -> None:
    cache = filled(80)
    cache.clear()

    assert len(cache) == 0
    assert cache.get(5) is None
    cache.put(5, 6)
    assert cache.get(5) == 6


def test_it_holds_at_most_so_many_entries_and_at_least_half_of_them() -> None:
    cache = filled(1000)

    assert 50 <= len(cache) <= 100
    assert [cache.get(number) for number in range(950, 1000)] == list(range(950, 1000))


def test_it_holds_at_most_so_many_bytes() -> None:
    cache = filled(1000, entries=10_000, size=1000, each=10)

    assert 50 <= len(cache) <= 100


def test_what_is_used_stays_while_others_come_and_go() -> None:
    cache = filled(1)
    for number in range(1, 2000):
        cache.put(number, number)
        assert cache.get(0) == 0
    assert len(cache) <= 100


def test_what_alone_is_over_the_bound_is_not_kept_and_pushes_nothing_out() -> None:
    cache = filled(10, size=100)
    cache.put("large", 1)

    assert cache.get("large") is None
    assert [cache.get(number) for number in range(10)] == list(range(10))


def test_no_entries_at_all_keeps_nothing() -> None:
    assert len(filled(10, entries=0)) == 0


def test_a_newer_value_takes_the_place_of_the_older_one() -> None:
    cache = filled(1)
    cache.put(0, 7)

    assert cache.get(0) == 7
    assert len(cache) == 1


@pytest.mark.parametrize("seed", range(5))
def test_it_never_holds_more_than_it_may_nor_answers_with_another_keys_value(seed: int) -> None:
    rnd = random.Random(seed)  # noqa: S311
    entries, size = rnd.randint(2, 40), rnd.randint(50, 500)
    sizes = [rnd.randint(0, size) for _ in range(60)]
    cache: Cache[int, tuple[int, int]] = Cache(entries, lambda key, _: sizes[key], size)
    for step in range(3000):
        key = rnd.randrange(60)
        if rnd.random() < 0.5:
            cache.put(key, (key, step))
        else:
            found = cache.get(key)
            assert found is None or found[0] == key
        kept = {**cache._old, **cache._young}
        assert len(cache) == len(kept) <= entries
        assert sum(sizes[key] for key in kept) <= size


def test_threads_may_hammer_it() -> None:
    cache: Cache[int, int] = Cache(64, lambda *_: 10, 64 * 10)
    wrong: list[object] = []

    def hammer(seed: int) -> None:
        rnd = random.Random(seed)  # noqa: S311
        try:
            for step in range(4000):
                key = rnd.randrange(100)
                found = cache.get(key)
                if found is None:
                    cache.put(key, key)
                elif found != key:
                    wrong.append((key, found))
                if step % 500 == 0:
                    cache.clear()
        except Exception as error:  # noqa: BLE001  # reported below
            wrong.append(error)

    threads = [threading.Thread(target=hammer, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(cache) <= 64


SPELLINGS = """
import gc, os, random, sys
from sslclientcert.testing import ClientCA
from sslclientcert.wsgi import ClientCertMiddleware

def memory():
    gc.collect()
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * os.sysconf("SC_PAGESIZE")

names, requests = map(int, sys.argv[1:])
ca, random = ClientCA(), random.Random(1)
authenticator = ca.authenticator()
app = ClientCertMiddleware(lambda environ, start_response: [b"x"], authenticator)
alice = ca.issue("alice", dns_names=[f"host-{number}.example.org" for number in range(names)])
environ = alice.environ()
label = "-----BEGIN%20CERTIFICATE-----"
rest = environ["HTTP_SSL_CLIENT_CERT"].removeprefix(label)
places = [at for at, each in enumerate(rest) if each.isalnum() and "%" not in rest[max(0, at - 2) : at + 1]]
accepted, before = 0, 0
for number in range(requests):
    spelled = list(rest)
    for place in random.sample(places, 12):
        spelled[place] = f"%{ord(rest[place]):02X}"
    header = label + "".join(spelled)
    accepted += b"".join(app({**environ, "HTTP_SSL_CLIENT_CERT": header}, lambda *answer: None)) == b"x"
    if number == 20:
        before = memory()
print(accepted, (memory() - before) // 1_000_000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says how much memory a process has")
@pytest.mark.parametrize(("names", "requests"), [(0, 4500), (150, 1500), (600, 500)])
def test_many_spellings_of_one_certificate_are_bounded_with_all_that_hangs_on_them(names: int, requests: int) -> None:
    command = [sys.executable, "-c", SPELLINGS, str(names), str(requests)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    accepted, megabytes = map(int, said.split())
    assert accepted == requests
    assert megabytes <= 24
