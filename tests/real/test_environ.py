"""`proxy="environ"` behind the real servers that set the variables: Apache with mod_wsgi, nginx with uWSGI, cheroot."""

from __future__ import annotations

import base64
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server

import sslclientcert
from examples.demo.processes import serve
from sslclientcert import ClientCertAuthenticator
from sslclientcert.wsgi import ClientCertMiddleware

from . import apps
from .configurations import blocks, replaced
from .fronts import Front
from .pki import Pki
from .rigs import running

HERE = Path(__file__).parent
PAGE = {Path(path).parts[2]: text for path, text in blocks("environ").items()}
DEBIANS_PYTHON = "/usr/bin/python3"

# What /etc/nginx/uwsgi_params of a distribution says.
UWSGI_PARAMS = "".join(
    f"uwsgi_param {name} {value};\n"
    for name, value in {
        "QUERY_STRING": "$query_string",
        "REQUEST_METHOD": "$request_method",
        "CONTENT_TYPE": "$content_type",
        "CONTENT_LENGTH": "$content_length",
        "REQUEST_URI": "$request_uri",
        "PATH_INFO": "$document_uri",
        "DOCUMENT_ROOT": "$document_root",
        "SERVER_PROTOCOL": "$server_protocol",
        "REQUEST_SCHEME": "$scheme",
        "HTTPS": "$https if_not_empty",
        "REMOTE_ADDR": "$remote_addr",
        "REMOTE_PORT": "$remote_port",
        "SERVER_PORT": "$server_port",
        "SERVER_NAME": "$server_name",
    }.items()
)


def filled(text: str, pki: Pki, changes: dict[str, str]) -> str:
    changes = {"/etc/ssl/app/": f"{pki.site}/", "/etc/client-ca/ca.crt": str(pki.bundle), **changes}
    (text,) = replaced([text], changes, "environ.md")
    return text


def write_application(folder: Path, pki: Pki) -> None:
    """Write wsgi.py, with the options in it as a deployment has them in its environment."""
    shutil.copy(HERE / "apps.py", folder)
    shutil.copy(pki.bundle, folder / "ca.crt")
    options = {"SSLCLIENTCERT_CA": str(folder / "ca.crt"), "SSLCLIENTCERT_PROXY": "environ"}
    text = f"import os\n\nos.environ.update({options})\n\nfrom apps import wsgi\n\napplication = wsgi()\n"
    (folder / "wsgi.py").write_text(text)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where Apache's own user may look; and short enough for the path of a unix socket."""
    with tempfile.TemporaryDirectory(prefix="environ-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def debian(folder: Path) -> Path:
    """An environment of Debian's Python, which mod_wsgi embeds, with the library and what it needs."""
    made = folder / "venv"
    subprocess.run([DEBIANS_PYTHON, "-m", "venv", "--without-pip", made], check=True)
    python = made / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "cryptography>=45", "typing-extensions>=4.12"], check=True, capture_output=True)
    (packages,) = (made / "lib").glob("python3.*/site-packages")
    shutil.copytree(Path(sslclientcert.__file__).parent, packages / "sslclientcert")
    return made


@contextmanager
def apache(pki: Pki, folder: Path, debian: Path, *, verifies: bool) -> Iterator[int]:
    application = folder / "application"
    application.mkdir()
    write_application(application, pki)
    changes = {
        "<VirtualHost *:443>": "<VirtualHost 127.0.0.1:@PORT@>",
        "/srv/app/venv": str(debian),
        "/srv/app": str(application),
        **({} if verifies else {"SSLVerifyClient require": "SSLVerifyClient optional_no_ca"}),
    }
    module = "LoadModule wsgi_module /usr/lib/apache2/modules/mod_wsgi.so\nWSGISocketPrefix @FOLDER@/wsgi\n"
    with running("apache", module + filled(PAGE["apache2"], pki, changes), folder / "apache") as started:
        yield started.port


@contextmanager
def nginx(pki: Pki, folder: Path, _: Path, *, verifies: bool) -> Iterator[int]:
    write_application(folder, pki)
    ini = folder / "app.ini"
    ini.write_text(PAGE["uwsgi"].replace("/run/app/app.sock", str(folder / "app.sock")))
    assert str(folder) in ini.read_text()
    changes = {
        "listen 443 ssl": "listen 127.0.0.1:@PORT@ ssl",
        "include uwsgi_params;": UWSGI_PARAMS,
        "/run/app/app.sock": str(folder / "app.sock"),
        **({} if verifies else {"ssl_verify_client       on;": "ssl_verify_client optional_no_ca;"}),
    }
    uwsgi = [
        sys.executable,
        "-c",
        "import pyuwsgi, sys; pyuwsgi.run(sys.argv[1:])",
        "--ini",
        str(ini),
        "--pp",
        str(folder),
    ]
    with serve(uwsgi, [], log=folder / "uwsgi.log") as process:
        deadline = time.monotonic() + 60
        while not (folder / "app.sock").exists() or "spawned" not in (folder / "uwsgi.log").read_text():
            assert process.poll() is None, (folder / "uwsgi.log").read_text()
            assert time.monotonic() < deadline, (folder / "uwsgi.log").read_text()
            time.sleep(0.05)
        with running("nginx", filled(PAGE["nginx"], pki, changes), folder / "nginx") as started:
            yield started.port


@contextmanager
def cheroot(pki: Pki, folder: Path, _: Path, *, verifies: bool) -> Iterator[int]:
    """Its own TLS always verifies: a bad certificate ends the handshake."""
    authenticator = ClientCertAuthenticator(pki.bundle, proxy="environ")
    server = Server(("127.0.0.1", 0), ClientCertMiddleware(apps._wsgi_application, authenticator))
    adapter = BuiltinSSLAdapter(str(pki.site / "tls.crt"), str(pki.site / "tls.key"))
    adapter.context.load_verify_locations(pki.bundle)
    adapter.context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    adapter.context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_OPTIONAL
    server.ssl_adapter = adapter
    server.error_log = lambda *args, **kwargs: None  # type: ignore[method-assign]  # what cheroot says of bad handshakes
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server.bind_addr[1]
    finally:
        server.stop()
        thread.join()


Start = Callable[..., AbstractContextManager[int]]
SERVERS: dict[str, Start] = {"apache": apache, "nginx": nginx, "cheroot": cheroot}


def start(name: str, pki: Pki, folder: Path, debian: Path, *, verifies: bool) -> AbstractContextManager[int]:
    own = folder / f"{name}-{'strict' if verifies else 'open'}"
    own.mkdir()
    own.chmod(0o755)
    return SERVERS[name](pki, own, debian, verifies=verifies)


@pytest.fixture(scope="module", params=SERVERS)
def open_front(request: pytest.FixtureRequest, pki: Pki, folder: Path, debian: Path) -> Iterator[Front]:
    """A server that asks for a certificate, and leaves it to the application to judge."""
    with start(request.param, pki, folder, debian, verifies=False) as port:
        yield Front(name=request.param, pki=pki, port=port)


@pytest.fixture(scope="module", params=SERVERS)
def strict_front(request: pytest.FixtureRequest, pki: Pki, folder: Path, debian: Path) -> Iterator[Front]:
    """A server as on the page: it refuses clients without a good certificate itself."""
    with start(request.param, pki, folder, debian, verifies=True) as port:
        yield Front(name=request.param, pki=pki, port=port)


SEEN = ("documentation", "good", "common-name-only", "via-intermediate", "ed25519-root", "utf-8", "hostile", "large")


@pytest.mark.parametrize("client", SEEN)
def test_the_application_sees_the_very_certificate_of_the_handshake(open_front: Front, client: str) -> None:
    reply = open_front.get(client)
    assert reply.status == 200, reply
    assert base64.b64decode(reply.json["leaf"]) == open_front.pki.client[client].der


@pytest.mark.parametrize("client", SEEN)
def test_the_configuration_of_the_page_as_it_stands_shows_the_same(strict_front: Front, client: str) -> None:
    reply = strict_front.get(client)
    assert reply.status == 200, reply
    assert base64.b64decode(reply.json["leaf"]) == strict_front.pki.client[client].der


def test_a_request_without_certificate_is_refused_as_that(open_front: Front) -> None:
    assert open_front.get(None).code == "certificate_missing"


@pytest.mark.parametrize("client", ["stranger", "impostor"])
def test_a_strangers_certificate_is_refused(open_front: Front, client: str) -> None:
    if open_front.name == "cheroot":
        with pytest.raises(OSError, match="."):
            open_front.get(client)
    else:
        assert open_front.get(client).code == "certificate_untrusted"


FORGERIES = {
    "exact": ("SSL_CLIENT_CERT", "SSL_CLIENT_VERIFY"),
    "hyphens": ("SSL-Client-Cert", "SSL-Client-Verify"),
    "one underscore": ("SSL_Client-Cert", "SSL_Client-Verify"),
    "as a key of the environ": ("HTTP_SSL_CLIENT_CERT", "HTTP_SSL_CLIENT_VERIFY"),
}


@pytest.mark.parametrize("way", FORGERIES)
@pytest.mark.parametrize("client", [None, "common-name-only"])
def test_no_header_of_a_client_becomes_the_variable_and_none_reaches_the_application(
    open_front: Front, client: str | None, way: str
) -> None:
    value = open_front.pki.client["good"].pem.replace("\n", " ")
    reply = open_front.get(client, list(zip(FORGERIES[way], (value, "SUCCESS"), strict=True)))
    if client is None:
        assert reply.code == "certificate_missing"
    else:
        assert base64.b64decode(reply.json["leaf"]) == open_front.pki.client[client].der
        assert [name for name, _ in reply.json["headers"] if name.startswith("SSL_CLIENT")] == []


def test_anybody_who_reaches_the_socket_of_uwsgi_over_tcp_writes_the_variables(pki: Pki, folder: Path) -> None:
    """What the page warns of, with the real uWSGI on a TCP socket."""
    own = folder / "tcp"
    own.mkdir()
    write_application(own, pki)
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    command = [sys.executable, "-c", "import pyuwsgi, sys; pyuwsgi.run(sys.argv[1:])", "--pp", str(own)]
    command += ["--socket", f"127.0.0.1:{port}", "--module", "wsgi:application"]
    variables = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "SSL_CLIENT_CERT": pki.client["good"].pem,
        "SSL_CLIENT_VERIFY": "SUCCESS",
    }
    # https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html : a modifier, the size, and pairs with their lengths
    pairs = b"".join(
        len(part).to_bytes(2, "little") + part for pair in variables.items() for part in map(str.encode, pair)
    )
    with serve(command, [], log=own / "uwsgi.log") as process:
        deadline = time.monotonic() + 60
        while "spawned" not in (own / "uwsgi.log").read_text():
            assert process.poll() is None, (own / "uwsgi.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(b"\0" + len(pairs).to_bytes(2, "little") + b"\0" + pairs)
            said = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b"200 OK" in said
    assert b'"common_name": "alice"' in said
