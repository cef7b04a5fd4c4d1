"""The recipe for gRPC of docs/other-frameworks.md, behind a real Envoy with the configuration of Envoy's page."""

# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Self

import grpc
import pytest
from cryptography import x509

from sslclientcert.testing import encode

from ..docs.run_page import files
from .configurations import configuration
from .pki import Pki
from .rigs import running
from .servers import DEADLINE_SECONDS, PROXY_ADDRESS

PAGE = Path(__file__).parents[2] / "docs" / "other-frameworks.md"
CLUSTER = "  clusters:\n  - name: app\n"
HTTP_2 = """\
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
"""
LARGE = 'options = [("grpc.max_metadata_size", 65536)]'
AUTHENTICATOR = 'ClientCertAuthenticator("ca.crt", proxy="envoy")'
# The page's server, with a method that streams; it says its port, and ends with its standard input.
SERVE = """
    import sys
    import grpc, grpc_app

    def thrice(requests, context):
        for _ in requests:
            yield grpc_app.client_identity.get().common_name.encode()

    server = grpc_app.make_server("127.0.0.1:0")
    methods = {"Thrice": grpc.stream_stream_rpc_method_handler(thrice)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("shop.Streams", methods)])
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(None)
"""


@contextmanager
def server(folder: Path, pki: Pki, *, changes: dict[str, str] | None = None) -> Iterator[int]:
    """Run the page's server until the block ends; yield its port."""
    folder.mkdir()
    code = files(PAGE)["grpc_app.py"]
    for old, new in (changes or {}).items():
        assert old in code
        code = code.replace(old, new)
    (folder / "grpc_app.py").write_text(code, encoding="utf-8")
    (folder / "ca.crt").write_bytes(pki.bundle.read_bytes())
    command = [sys.executable, "-c", dedent(SERVE)]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()
        yield int(line)
        process.communicate()


class Channel:
    """A client's connection to Envoy."""

    def __init__(self, port: int, pki: Pki, client: str | None) -> None:
        shown = None if client is None else pki.client[client]
        key, chain = (shown.key.read_bytes(), shown.certificate.read_bytes()) if shown else (None, None)
        credentials = grpc.ssl_channel_credentials(pki.server_ca.read_bytes(), key, chain)
        self._channel = grpc.secure_channel(f"localhost:{port}", credentials)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def who_am_i(self, *metadata: tuple[str, str]) -> bytes:
        call = self._channel.unary_unary("/shop.Orders/WhoAmI")
        answer: bytes = call(b"", metadata=metadata, timeout=DEADLINE_SECONDS)
        return answer

    def thrice(self) -> list[bytes]:
        call = self._channel.stream_stream("/shop.Streams/Thrice")
        return [*call(iter([b"", b"", b""]), timeout=DEADLINE_SECONDS)]


@pytest.fixture(scope="module")
def envoys(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The ports of Envoy before the page's server, and before one without the option."""
    folder = tmp_path_factory.mktemp("grpc")
    with (
        server(folder / "server", pki) as port,
        server(folder / "small", pki, changes={LARGE: "options = []"}) as small_port,
        running_envoy(folder / "envoy", pki, port) as page,
        running_envoy(folder / "envoy-small", pki, small_port) as small,
    ):
        yield {"page": page, "small": small}


@contextmanager
def running_envoy(folder: Path, pki: Pki, port: int) -> Iterator[int]:
    """Run Envoy, which passes on every certificate, so that the server alone judges."""
    kind, main, others = configuration("envoy", pki, f"{PROXY_ADDRESS}:{port}", verifies=False)
    assert CLUSTER in main
    with running(kind, main.replace(CLUSTER, CLUSTER + HTTP_2), folder, files=others) as envoy:
        yield envoy.port


def test_a_client_is_known_by_its_certificate(envoys: dict[str, int], pki: Pki) -> None:
    for client, name in (("good", b"alice"), ("common-name-only", b"bob")):
        with Channel(envoys["page"], pki, client) as channel:
            assert channel.who_am_i() == b"Hello " + name
            assert channel.thrice() == [name, name, name]


@pytest.mark.parametrize(
    ("client", "code"),
    [(None, "certificate_missing"), ("stranger", "certificate_untrusted"), ("expired", "certificate_expired")],
)
@pytest.mark.parametrize("call", [Channel.who_am_i, Channel.thrice], ids=["unary", "streaming"])
def test_all_others_are_refused(call: object, client: str | None, code: str, envoys: dict[str, int], pki: Pki) -> None:
    assert callable(call)
    with Channel(envoys["page"], pki, client) as channel, pytest.raises(grpc.RpcError) as refused:
        call(channel)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    details = refused.value.details() or ""
    assert details.startswith(f"{code}: ")
    assert "CN=" not in details


def test_forged_metadata_is_not_believed(envoys: dict[str, int], pki: Pki) -> None:
    forged = encode(x509.load_der_x509_certificate(pki.client["good"].der), "envoy")
    metadata = [(name.lower(), value) for name, value in forged.items()]
    with Channel(envoys["page"], pki, "common-name-only") as channel:
        assert channel.who_am_i(*metadata) == b"Hello bob"
    with Channel(envoys["page"], pki, None) as channel, pytest.raises(grpc.RpcError, match="certificate_missing"):
        channel.who_am_i(*metadata)


def test_metadata_from_a_peer_that_is_not_trusted_is_refused(tmp_path: Path, pki: Pki) -> None:
    other = {AUTHENTICATOR: AUTHENTICATOR[:-1] + ', trusted_proxies=["192.0.2.1"])'}
    with (
        server(tmp_path / "server", pki, changes=other) as port,
        running_envoy(tmp_path / "envoy", pki, port) as envoy,
        Channel(envoy, pki, "good") as channel,
        pytest.raises(grpc.RpcError, match="proxy_untrusted"),
    ):
        channel.who_am_i(("x-forwarded-for", "192.0.2.1"))


def test_a_large_certificate_needs_the_option(envoys: dict[str, int], pki: Pki) -> None:
    with Channel(envoys["page"], pki, "huge") as channel:
        assert channel.who_am_i() == b"Hello grace"
    with Channel(envoys["small"], pki, "huge") as channel, pytest.raises(grpc.RpcError) as refused:
        [channel.who_am_i() for _ in range(3)]  # the first call of a connection may pass
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
