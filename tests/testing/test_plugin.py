from __future__ import annotations

import subprocess
import sys

import pytest

import sslclientcert.testing.ca  # noqa: F401 - before pytester begins, which unloads what it sees loaded
from sslclientcert.testing import REFUSALS

pytest_plugins = ["pytester"]

WORDS = [refusal.word for refusal in REFUSALS]


@pytest.fixture(autouse=True)
def _quick(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each inner run two seconds: hypothesis is imported for its summary, even if it has nothing to sum up."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")


def test_the_good_certificate_is_good_and_its_identity_the_verified_one(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_good(sslclientcert_ca, sslclientcert_headers, sslclientcert_identity, sslclientcert_certificate):
            identity = sslclientcert_ca.authenticator().authenticate(sslclientcert_headers, peer="testclient")
            assert identity == sslclientcert_identity
            assert identity.certificate == sslclientcert_certificate.certificate
            assert identity.spiffe_id == "spiffe://example.org/client"
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_headers_are_fresh_for_each_test_and_certificates_shared_by_all(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        seen = []

        @pytest.mark.parametrize("turn", [1, 2])
        def test_turn(turn, sslclientcert_headers, sslclientcert_ca):
            assert sslclientcert_headers["ssl-client-verify"] == "SUCCESS"
            sslclientcert_headers["ssl-client-verify"] = "NONE"
            seen.append(sslclientcert_ca)
            assert seen[0] is sslclientcert_ca
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=2)


def test_a_test_of_refusals_runs_once_for_each_way_to_be_wrong(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from sslclientcert import ClientCertError

        def test_refused(sslclientcert_ca, sslclientcert_refused):
            with pytest.raises(ClientCertError) as refused:
                sslclientcert_ca.authenticator().authenticate(sslclientcert_refused.headers, peer="testclient")
            assert refused.value.code == sslclientcert_refused.code
            assert refused.value.status == sslclientcert_refused.status
            assert sslclientcert_refused.certificate.name == "mallory"
        """
    )
    result = pytester.runpytest_inprocess("-v")
    result.assert_outcomes(passed=len(WORDS))
    result.stdout.fnmatch_lines_random([f"*::test_refused[[]{word}[]] PASSED*" for word in WORDS])


def test_a_test_can_choose_among_the_ways_to_be_wrong(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("sslclientcert_refused", ["expired", "revoked"], indirect=True)
        def test_some(sslclientcert_refused):
            assert sslclientcert_refused.code in {"certificate_expired", "certificate_revoked"}
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=2)


def test_another_proxy_and_another_ca_are_chosen_in_conftest(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest
        from sslclientcert.testing import ClientCA

        @pytest.fixture(scope="session")
        def sslclientcert_proxy():
            return "haproxy"

        @pytest.fixture(scope="session")
        def sslclientcert_ca():
            return ClientCA("Our CA", intermediates=1)
        """
    )
    pytester.makepyfile(
        """
        def test_all_follow(
            sslclientcert_ca, sslclientcert_headers, sslclientcert_identity, sslclientcert_no_certificate
        ):
            assert sslclientcert_identity.issuer == "CN=Our CA 1"
            assert len(sslclientcert_identity.chain) == 3
            assert sslclientcert_headers["x-ssl-client-chain"]
            assert sslclientcert_no_certificate["x-ssl-client-used"] == "0"
            authenticator = sslclientcert_ca.authenticator("haproxy")
            assert authenticator.authenticate(sslclientcert_no_certificate, peer="testclient") is None
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


OWN = """
        import pytest
        from sslclientcert import ClientCertAuthenticator
        from sslclientcert.testing import ClientCA

        authenticator = ClientCertAuthenticator(ClientCA("Production").trust_store(), proxy="caddy", header="x-cert")
        """


def test_the_fixtures_take_the_proxy_of_the_applications_own_authenticator(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(application=OWN)
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def sslclientcert_authenticator():
            from application import authenticator
            return authenticator
        """
    )
    pytester.makepyfile(
        """
        from application import authenticator

        def test_all_follow(sslclientcert_trusting, sslclientcert_headers, sslclientcert_no_certificate):
            sslclientcert_trusting(authenticator)
            assert list(sslclientcert_headers) == ["x-cert"]
            assert authenticator.authenticate(sslclientcert_headers, peer="testclient").common_name == "client"
            assert authenticator.authenticate(sslclientcert_no_certificate, peer="testclient") is None
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_fixtures_of_another_proxy_than_the_authenticators_are_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(application=OWN)
    pytester.makepyfile(
        """
        import pytest
        from application import authenticator

        def test_headers_of_another_proxy(sslclientcert_trusting, sslclientcert_headers):
            with pytest.raises(ValueError, match="override sslclientcert_authenticator"):
                sslclientcert_trusting(authenticator)

        def test_no_headers_of_the_fixtures(sslclientcert_trusting):
            sslclientcert_trusting(authenticator)
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=2)


def test_an_applications_own_authenticator_is_overridden_until_the_tests_end(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from sslclientcert import ClientCertAuthenticator, ClientCertError
        from sslclientcert.testing import ClientCA

        authenticator = ClientCertAuthenticator(ClientCA("Production").trust_store(), trusted_proxies=["192.0.2.1"])

        def test_overridden(sslclientcert_trusting, sslclientcert_headers):
            sslclientcert_trusting(authenticator)
            assert authenticator.authenticate(sslclientcert_headers, peer="testclient").common_name == "client"

        def test_put_back(sslclientcert_headers):
            with pytest.raises(ClientCertError, match="proxy_untrusted"):
                authenticator.authenticate(sslclientcert_headers, peer="testclient")
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=2)


def test_every_fixture_has_the_prefix_and_says_what_it_is(pytester: pytest.Pytester) -> None:
    lines = pytester.runpytest_inprocess("--fixtures").outlines
    ours = {line.split()[0]: lines[number + 1] for number, line in enumerate(lines) if "testing/plugin.py:" in line}
    assert len(ours) == 9
    assert all(name.startswith("sslclientcert_") for name in ours)
    assert "    no docstring available" not in ours.values()


def test_a_suite_that_does_not_use_the_plugin_makes_no_certificate_and_sees_no_marker_or_option(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_loaded():
            loaded = {name for name in sys.modules if name.startswith("sslclientcert.testing")}
            assert loaded == {"sslclientcert.testing", "sslclientcert.testing.plugin", "sslclientcert.testing.refusals"}
        """
    )
    pytester.runpytest_subprocess("--strict-markers", "-W", "error").assert_outcomes(passed=1)
    assert "sslclientcert" not in pytester.runpytest_inprocess("--markers").stdout.str()


def test_the_plugin_imports_nothing_that_pytest_and_the_package_itself_did_not() -> None:
    program = (
        "import sys, pytest, sslclientcert; before = set(sys.modules)\n"
        "import sslclientcert.testing.plugin; print(*sorted(set(sys.modules) - before))"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.split() == [
        "sslclientcert.testing",
        "sslclientcert.testing.plugin",
        "sslclientcert.testing.refusals",
    ]
