"""The requests of the demo, and what should become of each."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CASES", "HEALTH_PATH", "NGINX_ITSELF", "NOBODY", "PAST_NGINX", "Case", "Outcome"]

HEALTH_PATH = "/healthz"  # exempt, as for a kubelet, whose probes come past the proxy and without a certificate
NOBODY = "nobody"
PAST_NGINX = "was not asked"
NGINX_ITSELF = "by nginx itself"


@dataclass(frozen=True)
class Outcome:
    """What became of a request: nginx's verdict, the status and code of the answer, and whom the application saw."""

    verdict: str
    answer: str
    saw: str

    def __str__(self) -> str:
        return f"{self.verdict}, {self.answer}, {self.saw}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request and what should become of it.

    Attributes:
        presented: the request in words.
        certificate: the name of the client's certificate, or None.
        forged: whether it also sends somebody's good certificate in the header.
        direct: whether it goes straight to the application, past nginx.
        expected: what should become of it.
        why: what the answer does not say itself, if anything.
    """

    presented: str
    certificate: str | None = None
    forged: bool = False
    direct: bool = False
    expected: Outcome
    why: str

    def holds(self, outcome: Outcome) -> bool:
        """Say whether this is what was expected. The text behind `FAILED:` is OpenSSL's to word."""
        said, expected = outcome.verdict.partition(":")[0], self.expected
        return (said, outcome.answer, outcome.saw) == (expected.verdict, expected.answer, expected.saw)


CASES = (
    Case(
        presented="a certificate of our CA",
        certificate="alice",
        expected=Outcome("SUCCESS", "200", "CN=Alice"),
        why="The application itself verified it against ca.crt.",
    ),
    Case(
        presented="the v1 certificate of the ingress-nginx documentation",
        certificate="documentation",
        expected=Outcome("SUCCESS", "200", "CN=My Client"),
        why="Verified too. OpenSSL 3.0 makes X.509 v1 of the documented commands.",
    ),
    Case(
        presented="no certificate",
        expected=Outcome("NONE", "403 certificate_missing", NOBODY),
        why="",
    ),
    Case(
        presented="a certificate of a stranger's CA",
        certificate="stranger",
        expected=Outcome("FAILED", "403 certificate_untrusted", NOBODY),
        why="Under optional_no_ca nginx passes it on: the application is the judge.",
    ),
    Case(
        presented="an expired certificate",
        certificate="expired",
        expected=Outcome("FAILED", f"400 {NGINX_ITSELF}", NOBODY),
        why="The application was not asked: nginx refuses this even under optional_no_ca.",
    ),
    Case(
        presented="no certificate, and Alice's in a forged header",
        forged=True,
        expected=Outcome("NONE", "403 certificate_missing", NOBODY),
        why="nginx took the forged header away.",
    ),
    Case(
        presented="Alice's in a forged header, straight to the application",
        forged=True,
        direct=True,
        expected=Outcome(PAST_NGINX, "403 proxy_untrusted", NOBODY),
        why="Only nginx, on the Unix socket, may send this header.",
    ),
)
