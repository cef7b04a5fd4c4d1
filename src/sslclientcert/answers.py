"""The answer to a refusal, in one place: problem details for programs, a small page for people.

Sources: RFC 9457 (problem details); RFC 9110 section 12.5.1 (Accept).
"""

from __future__ import annotations

import html
import json
from typing import NamedTuple

from .core.errors import ClientCertError

__all__ = ["Answer", "answer_to"]

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<h1>{title}</h1>
<p>Your browser remembers the certificate that you chose. To choose another one, close all windows of the browser and
open this page again.</p>
<p>If you ask for help, say this code: <code>{code}</code></p>
"""


class Answer(NamedTuple):
    """An HTTP answer: the status, the headers, and the body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def answer_to(error: ClientCertError, accept: str | None = None) -> Answer:
    """Return the answer to a rejected request. It has the error's status, code and title, never the detail.

    It is problem details as JSON. If the client prefers `text/html`, as browsers do, it is a page of a few fixed
    sentences. The page has nothing from the certificate or the request.

    Parameters:
        error: why the request was rejected.
        accept: the value of the request's Accept header. Join several with commas. None if there is no such header.

    Source: RFC 9457.
    """
    if accept is not None and _prefers_html(accept):
        body = _PAGE.format(title=html.escape(error.title), code=html.escape(error.code)).encode()
        # Nothing in the page is loaded or runs, also not what a proxy may add.
        kind = [("Content-Type", "text/html; charset=utf-8"), ("Content-Security-Policy", "default-src 'none'")]
    else:
        body = json.dumps(error.problem()).encode()
        kind = [("Content-Type", "application/problem+json")]
    headers = [
        *kind,
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Vary", "Accept"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return Answer(error.status, headers, body)


def _prefers_html(accept: str) -> bool:
    """Say whether text/html is named, and weighs more than JSON and no less than anything else does."""
    weights: dict[str, float] = {}
    for each in accept.lower().split(","):
        media, *parameters = (part.strip() for part in each.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        try:
            weights[media] = float(weight)
        except ValueError:
            weights[media] = 0.0
    asked = weights.get("text/html", 0.0)
    json_asked = max(weights.get("application/problem+json", 0.0), weights.get("application/json", 0.0))
    return asked > json_asked and asked >= weights.get("*/*", 0.0)
