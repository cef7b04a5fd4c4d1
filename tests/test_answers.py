"""The answer to a refusal: problem details for programs, a small page for people."""

from __future__ import annotations

import json

import pytest

from sslclientcert import ClientCertError, answer_to
from sslclientcert.core.errors import CertificateExpired, HeaderMalformed, TrustStoreUnavailable

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROMIUM = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
ERROR = CertificateExpired("CN=alice ended yesterday")


class Hostile(ClientCertError):
    """An error of somebody else's."""

    code = "<b>"  # type: ignore[assignment]  # the codes are a closed list
    title = "<script>alert(1)</script>"


def kind(accept: str | None) -> str:
    return dict(answer_to(ERROR, accept).headers)["Content-Type"].partition(";")[0]


@pytest.mark.parametrize(
    "error", [ERROR, HeaderMalformed("%zz at 7"), TrustStoreUnavailable("ca.crt is gone")], ids=lambda error: error.code
)
@pytest.mark.parametrize("accept", [None, FIREFOX], ids=["program", "browser"])
def test_an_answer_holds_the_status_the_title_and_the_code_and_not_the_detail(
    error: ClientCertError, accept: str | None
) -> None:
    answer = answer_to(error, accept)
    assert answer.status == error.status
    assert error.title.encode() in answer.body
    assert error.code.encode() in answer.body
    assert error.detail.encode() not in answer.body


def test_a_program_gets_problem_details() -> None:
    answer = answer_to(ERROR)
    assert json.loads(answer.body) == ERROR.problem()
    assert dict(answer.headers) == {
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(answer.body)),
        "Cache-Control": "no-store",
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
    }


def test_a_browser_gets_a_page_that_loads_nothing_and_that_nobody_stores() -> None:
    answer = answer_to(ERROR, CHROMIUM)
    assert b"<title>The client certificate has expired.</title>" in answer.body
    assert b"<code>certificate_expired</code>" in answer.body
    assert b"close all windows of the browser" in answer.body
    assert b"alice" not in answer.body
    assert dict(answer.headers) == {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": "default-src 'none'",
        "Content-Length": str(len(answer.body)),
        "Cache-Control": "no-store",
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
    }


@pytest.mark.parametrize(
    "accept",
    [
        FIREFOX,
        CHROMIUM,
        "text/html",
        "TEXT/HTML; charset=utf-8",
        "text/html, */*",
        "text/html;q=0.9, application/json;q=0.8",
        "application/json;q=0.8,text/html;q=0.9",
        "application/json;q=,text/html;q=0.1",
    ],
)
def test_who_prefers_a_page_gets_one(accept: str) -> None:
    assert kind(accept) == "text/html"


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "text/*",
        "application/json",
        "application/problem+json, text/html",
        "application/json, text/html",
        "text/html;q=0.5, */*",
        "text/html;q=0",
        "text/html;q=nan",
        "text/html;q=lots",
        "text/html;q=inf, application/json;q=inf",
        "text/html2, xtext/html",
        ",;,=;q=,;;",
        "\xff\x00",
    ],
)
def test_everybody_else_gets_problem_details(accept: str | None) -> None:
    assert kind(accept) == "application/problem+json"


def test_what_an_error_says_of_itself_is_no_markup() -> None:
    body = answer_to(Hostile("x"), "text/html").body
    assert b"<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>" in body
    assert b"<code>&lt;b&gt;</code>" in body
