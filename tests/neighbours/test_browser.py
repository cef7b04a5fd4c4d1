"""A person in a browser, without a certificate, behind a real nginx: what Chromium shows them."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from examples.demo.nginx import Ingress, nginx
from sslclientcert.flask import ClientCert
from sslclientcert.testing import ClientCA
from sslclientcert.wsgi import ClientCertMiddleware

from .browser import Browser, chromium
from .django_project import JUDGE, configured

# isort: split
# The import of django_project has configured Django; what follows needs it configured.

from django.core.wsgi import get_wsgi_application


def hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def in_the_middleware(ca: ClientCA) -> Any:
    return ClientCertMiddleware(hello, ca.authenticator())


def in_flask(ca: ClientCA) -> Any:
    app = Flask("shop")
    ClientCert(app, authenticator=ca.authenticator())
    return app


def in_django(ca: ClientCA) -> Any:
    return get_wsgi_application()


def answering_itself(ca: ClientCA) -> Any:
    def on_refusal(error: Any, environ: Any) -> Any:
        return error.status, [("Content-Type", "text/html")], b"<title>Our shop</title><h1>Bring your card</h1>"

    return ClientCertMiddleware(hello, ca.authenticator(), on_refusal=on_refusal)


APPLICATIONS = (in_the_middleware, in_flask, in_django, answering_itself)


@contextmanager
def served(application: Any) -> Iterator[str]:
    """Run an application until the block ends; yield where."""
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def urls(ca: ClientCA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Any, str]]:
    """Where nginx has each application."""
    folder = tmp_path_factory.mktemp("nginx")
    key, certificate, bundle = folder / "server.key", folder / "server.crt", ca.write(folder / "ca.crt")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    with ExitStack() as stack:
        stack.enter_context(configured({"AUTHENTICATOR": ca.authenticator()}, JUDGE))
        places = [stack.enter_context(served(make(ca))) for make in APPLICATIONS]
        ingresses = [Ingress(upstream=place, ca=Path(bundle)) for place in places]
        ports = stack.enter_context(nginx(folder, ingresses, certificate=certificate, key=key))
        yield {make: f"https://127.0.0.1:{port}/" for make, port in zip(APPLICATIONS, ports, strict=True)}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.mark.parametrize("make", [in_the_middleware, in_flask, in_django], ids=lambda make: make.__name__)
def test_a_person_without_a_certificate_reads_what_is_missing_and_what_to_do(
    make: Any, urls: dict[Any, str], browser: Browser
) -> None:
    browser.visit(urls[make])
    assert browser.title == browser.text("h1") == "A client certificate is required."
    assert browser.text("code") == "certificate_missing"
    assert "close all windows of the browser" in browser.text("body")


def test_a_person_reads_the_applications_own_page_where_it_has_one(urls: dict[Any, str], browser: Browser) -> None:
    browser.visit(urls[answering_itself])
    assert (browser.title, browser.text("h1")) == ("Our shop", "Bring your card")
