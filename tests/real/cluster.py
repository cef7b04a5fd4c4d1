"""The Ingress of docs/kubernetes.md in a cluster that is not there: for a controller that reads it from a fake API."""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt

from .configurations import Site

_DOCS = Path(__file__).parents[2] / "docs"
_HOST = "shop.example.org"
_ANNOTATIONS = "nginx.ingress.kubernetes.io/"


def manifest(kind: str, *, page: str = "kubernetes.md", **metadata: str) -> dict[str, Any]:
    """Return the first manifest of a page of this kind, and with these values in its metadata or spec."""
    for token in MarkdownIt().parse((_DOCS / page).read_text(encoding="utf-8")):
        if token.type == "fence" and token.info == "yaml":
            for each in yaml.safe_load_all(token.content):
                if each["kind"] == kind and metadata.items() <= {**each["metadata"], **each.get("spec", {})}.items():
                    found: dict[str, Any] = each
                    return found
    raise AssertionError(f"{page} has no {kind} with {metadata}")


def objects(
    site: Site, upstream: str, annotations: Mapping[str, str | None], *, host: str = "localhost"
) -> Iterator[dict[str, Any]]:
    """Yield the page's Ingress and Service, and what they refer to, as the API of a cluster has them.

    Parameters:
        site: the server's certificate and the CA bundle of the clients, which are Secrets here.
        upstream: the application's `address:port`, which is the pod here.
        annotations: what to change in them, by the name behind `nginx.ingress.kubernetes.io/`; None to leave one out.
        host: the name that the Ingress is for.
    """
    address, _, port = upstream.rpartition(":")
    ingress, service = manifest("Ingress", ingressClassName="nginx"), manifest("Service")
    said = ingress["metadata"]["annotations"] | {_ANNOTATIONS + name: value for name, value in annotations.items()}
    ingress["metadata"]["annotations"] = {name: value for name, value in said.items() if value is not None}
    ingress["spec"]["tls"][0]["hosts"] = [host]
    ingress["spec"]["rules"][0]["host"] = host
    service["spec"] |= {"type": "ClusterIP", "clusterIP": "192.0.2.1"}
    service["spec"]["ports"][0] |= {"name": "", "protocol": "TCP"}
    namespace: str = service["metadata"]["namespace"]
    tls = {"tls.crt": site.site / "tls.crt", "tls.key": site.site / "tls.key"}
    yield from (ingress, service)
    yield _object("v1", "Namespace", namespace)
    yield _object("networking.k8s.io/v1", "IngressClass", "nginx", spec={"controller": "k8s.io/ingress-nginx"})
    yield _object("v1", "Secret", "shop-tls", namespace, type="kubernetes.io/tls", data=_base64(tls))
    yield _object("v1", "Secret", "client-ca", namespace, type="Opaque", data=_base64({"ca.crt": site.bundle}))
    slices = _object("discovery.k8s.io/v1", "EndpointSlice", "shop-1", namespace, addressType="IPv4")
    slices["metadata"]["labels"] = {"kubernetes.io/service-name": service["metadata"]["name"]}
    slices["endpoints"] = [{"addresses": [address], "conditions": {"ready": True, "serving": True}}]
    slices["ports"] = [{"name": "", "port": int(port), "protocol": "TCP"}]
    yield slices


def of_classes(found: Iterable[dict[str, Any]], classes: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield these objects, their Ingress once for each host and of its class, and the class of the move's page."""
    for each in found:
        if each["kind"] != "Ingress":
            yield each
            continue
        for number, (host, name) in enumerate(classes.items()):
            ingress = copy.deepcopy(each)
            ingress["metadata"]["name"] += f"-{number}"
            ingress["spec"]["ingressClassName"] = name
            ingress["spec"]["tls"][0]["hosts"] = [host]
            ingress["spec"]["rules"][0]["host"] = host
            yield ingress
    new = manifest("IngressClass", page="leaving-ingress-nginx.md")
    yield _object(new["apiVersion"], new["kind"], new["metadata"]["name"], spec=new["spec"])


def _object(version: str, kind: str, name: str, namespace: str | None = None, **others: Any) -> dict[str, Any]:
    metadata = {"name": name, "resourceVersion": "1", **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **others}


def _base64(files: Mapping[str, Path]) -> dict[str, str]:
    return {name: base64.b64encode(path.read_bytes()).decode() for name, path in files.items()}
