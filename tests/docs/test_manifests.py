"""The Kubernetes manifests of the documentation: valid, consistent, and saying to each proxy what was run with it.

Core kinds are held to the official schemas, strictly. Of custom kinds only the fields below may be used, each named by
the page of its documentation. No cluster is involved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from markdown_it import MarkdownIt

from sslclientcert import PROXIES, ClientCertAuthenticator
from sslclientcert.cli.proxies import configuration_of
from sslclientcert.testing import ClientCA

ROOT = Path(__file__).parents[2]
KUBERNETES = "1.37"
CORE = {"v1", "apps/v1", "batch/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1"}

# A field's name, or with [] an item of a list.
FIELDS = {
    # https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/crd/
    "traefik.io/v1alpha1 TLSOption": "minVersion sniStrict clientAuth.secretNames[] clientAuth.clientAuthType",
    "traefik.io/v1alpha1 Middleware": "headers.customRequestHeaders.X-Forwarded-Tls-Client-Cert passTLSClientCert.pem",
    "traefik.io/v1alpha1 IngressRoute": "entryPoints[] routes[].kind routes[].match routes[].middlewares[].name "
    "routes[].services[].name routes[].services[].port tls.secretName tls.options.name tls.options.namespace",
    # https://docs.openshift.com/container-platform/latest/networking/ingress-operator.html (mutual TLS)
    "operator.openshift.io/v1 IngressController": "clientTLS.clientCertificatePolicy clientTLS.clientCA.name",
    # https://gateway-api.sigs.k8s.io/reference/spec/ ; tls.frontend: https://gateway-api.sigs.k8s.io/geps/gep-91/
    "gateway.networking.k8s.io/v1 Gateway": "gatewayClassName listeners[].name listeners[].protocol listeners[].port "
    "listeners[].hostname listeners[].tls.mode listeners[].tls.certificateRefs[].kind "
    "listeners[].tls.certificateRefs[].name tls.frontend.default.validation.mode "
    "tls.frontend.default.validation.caCertificateRefs[].group "
    "tls.frontend.default.validation.caCertificateRefs[].kind "
    "tls.frontend.default.validation.caCertificateRefs[].name",
    "gateway.networking.k8s.io/v1 HTTPRoute": "parentRefs[].name parentRefs[].sectionName hostnames[] "
    "rules[].filters[].type rules[].filters[].extensionRef.group rules[].filters[].extensionRef.kind "
    "rules[].filters[].extensionRef.name rules[].backendRefs[].name rules[].backendRefs[].port",
    # https://gateway.envoyproxy.io/docs/api/extension_types/
    "gateway.envoyproxy.io/v1alpha1 ClientTrafficPolicy": "targetRefs[].group targetRefs[].kind targetRefs[].name "
    "tls.clientValidation.optional tls.clientValidation.caCertificateRefs[].kind "
    "tls.clientValidation.caCertificateRefs[].name headers.withUnderscoresAction headers.xForwardedClientCert.mode "
    "headers.xForwardedClientCert.certDetailsToAdd[]",
    # https://projectcontour.io/docs/main/config/api/
    "projectcontour.io/v1 HTTPProxy": "virtualhost.fqdn virtualhost.tls.secretName "
    "virtualhost.tls.clientValidation.caSecret virtualhost.tls.clientValidation.forwardClientCertificate.cert "
    "virtualhost.tls.clientValidation.forwardClientCertificate.chain routes[].services[].name routes[].services[].port",
    # https://istio.io/latest/docs/reference/config/networking/
    "networking.istio.io/v1 Gateway": "selector.istio servers[].port.number servers[].port.name "
    "servers[].port.protocol servers[].hosts[] servers[].tls.mode servers[].tls.credentialName",
    "networking.istio.io/v1 VirtualService": "hosts[] gateways[] http[].route[].destination.host "
    "http[].route[].destination.port.number",
    # https://docs.nginx.com/nginx-gateway-fabric/traffic-management/snippets/
    "gateway.nginx.org/v1alpha1 SnippetsFilter": "snippets[].context snippets[].value",
    # https://cert-manager.io/docs/reference/api-docs/
    "cert-manager.io/v1 Issuer": "ca.secretName",
    "cert-manager.io/v1 Certificate": "isCA commonName subject.organizations[] secretName duration uris[] usages[] "
    "privateKey.algorithm privateKey.size privateKey.rotationPolicy issuerRef.kind issuerRef.name",
    # https://cert-manager.io/docs/trust/trust-manager/api-reference/
    "trust.cert-manager.io/v1alpha1 Bundle": "sources[].secret.name sources[].secret.key target.configMap.key",
}

Manifest = dict[str, Any]


def manifests() -> Iterator[tuple[str, Manifest]]:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
            if token.type == "fence" and token.info.strip() == "yaml" and "apiVersion:" in token.content:
                for each in yaml.safe_load_all(token.content):
                    yield f"{page.stem}:{each['kind']}:{each['metadata']['name']}", each


ALL = list(manifests())
each_manifest = pytest.mark.parametrize("manifest", [each for _, each in ALL], ids=[name for name, _ in ALL])


def of_kind(kind: str) -> list[Manifest]:
    return [each for _, each in ALL if each["kind"] == kind]


def fields(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from fields(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from fields(inner, f"{path}[]")
    else:
        yield path


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_there_are_manifests_for_every_kind_that_is_described() -> None:
    assert {f"{each['apiVersion']} {each['kind']}" for _, each in ALL if each["apiVersion"] not in CORE} == set(FIELDS)


@each_manifest
def test_a_manifest_has_no_field_that_its_schema_does_not_know(manifest: Manifest) -> None:
    if manifest["apiVersion"] in CORE:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    else:
        assert set(manifest) == {"apiVersion", "kind", "metadata", "spec"}
        known = FIELDS[f"{manifest['apiVersion']} {manifest['kind']}"].split()
        assert set(fields(manifest["spec"])) - set(known) == set()


def test_a_misspelt_field_of_a_core_kind_is_found() -> None:
    (service,) = of_kind("Service")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**service, "spec": {**service["spec"], "selecter": {}}}, KUBERNETES, strict=True)


@pytest.mark.parametrize("policy", of_kind("NetworkPolicy"), ids=lambda each: each["metadata"]["name"])
def test_a_network_policy_admits_only_certain_pods_to_the_port_of_the_application(policy: Manifest) -> None:
    (deployment,) = of_kind("Deployment")
    (service,) = of_kind("Service")
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    (port,) = container["ports"]
    assert policy["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    assert policy["spec"]["podSelector"]["matchLabels"] == pod["metadata"]["labels"] == service["spec"]["selector"]
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    (rule,) = policy["spec"]["ingress"]
    assert rule["ports"] == [{"port": port["containerPort"]}]
    (peer,) = rule["from"]
    assert peer["podSelector"]["matchLabels"]
    assert "namespaceSelector" not in peer or peer["namespaceSelector"]["matchLabels"]


def test_what_the_deployment_sets_makes_an_authenticator(tmp_path: Path) -> None:
    (deployment,) = of_kind("Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    environ = {each["name"]: each["value"] for each in container["env"]}
    mount = Path(container["volumeMounts"][0]["mountPath"])
    assert Path(environ["SSLCLIENTCERT_CA"]).parent == mount
    environ["SSLCLIENTCERT_CA"] = str(ClientCA().write(tmp_path / "ca.crt"))
    assert ClientCertAuthenticator.from_env(environ=environ).proxy is PROXIES["nginx-ingress"]


def test_the_annotations_of_ingress_nginx_are_those_of_its_row() -> None:
    row = yaml.safe_load(configuration_of(PROXIES["nginx-ingress"]))["metadata"]["annotations"]
    for ingress in of_kind("Ingress"):
        if ingress["spec"]["ingressClassName"] == "nginx":
            annotations = ingress["metadata"]["annotations"]
            assert set(row) <= set(annotations)
            assert all(annotations[name] == row[name] for name in row if not name.endswith("-secret"))


def test_haproxy_ingress_sets_the_lines_of_its_row() -> None:
    (ingress,) = [each for each in of_kind("Ingress") if each["spec"]["ingressClassName"] == "haproxy"]
    snippet = ingress["metadata"]["annotations"]["haproxy-ingress.github.io/config-backend"]
    assert lines(configuration_of(PROXIES["haproxy"])) == lines(snippet)


def test_the_router_of_openshift_is_configured_as_its_row_says() -> None:
    (controller,) = of_kind("IngressController")
    assert controller == yaml.safe_load(configuration_of(PROXIES["openshift"]))


def test_nginx_gateway_fabric_sets_the_header_lines_of_its_row() -> None:
    ((snippet,),) = [each["spec"]["snippets"] for each in of_kind("SnippetsFilter")]
    row = [line for line in lines(configuration_of(PROXIES["nginx"])) if line.startswith("proxy_set_header")]
    assert lines(snippet["value"]) == row
    assert snippet["context"] == "http.server.location"


def test_traefik_drops_the_header_of_the_client_before_it_sets_its_own_as_its_row_does() -> None:
    row = yaml.safe_load(configuration_of(PROXIES["traefik"]))["http"]["middlewares"]
    assert {each["metadata"]["name"]: each["spec"] for each in of_kind("Middleware")} == {
        "drop-client-cert": {"headers": {"customRequestHeaders": {"X-Forwarded-Tls-Client-Cert": ""}}},
        **row,
    }
    (route,) = of_kind("IngressRoute")
    (way,) = route["spec"]["routes"]
    assert [each["name"] for each in way["middlewares"]] == ["drop-client-cert", "client-cert"]


def test_envoy_gateway_and_contour_replace_the_header_and_send_what_its_row_needs() -> None:
    row = yaml.safe_load(configuration_of(PROXIES["envoy"]))
    sent = [name for name, is_sent in row["set_current_client_cert_details"].items() if is_sent]
    (policy,) = of_kind("ClientTrafficPolicy")
    header = policy["spec"]["headers"]["xForwardedClientCert"]
    assert re.sub(r"(?<=[a-z])(?=[A-Z])", "_", header["mode"]).upper() == row["forward_client_cert_details"]
    assert [each.lower() for each in header["certDetailsToAdd"]] == sent
    (proxy,) = of_kind("HTTPProxy")
    forwarded = proxy["spec"]["virtualhost"]["tls"]["clientValidation"]["forwardClientCertificate"]
    assert forwarded == dict.fromkeys(sent, True)
