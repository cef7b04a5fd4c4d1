"""Options as text: what each text means, and every text that is refused so that nothing is loosened in silence."""

from __future__ import annotations

from typing import Any

import pytest

from sslclientcert.core.options import OPTIONS, did_you_mean, flag, from_environment, options_of


def shown(name: str) -> str:
    return f"THE_{name.upper()}"


@pytest.mark.parametrize("text", ["true", "1", "yes", "on", "TRUE", "Yes", " on "])
def test_a_text_that_says_yes(text: str) -> None:
    assert flag(text) is True


@pytest.mark.parametrize("text", ["false", "0", "no", "off", "FALSE", "No", " off "])
def test_a_text_that_says_no(text: str) -> None:
    assert flag(text) is False


@pytest.mark.parametrize("text", ["", " ", "2", "-1", "y", "n", "t", "f", "none", "null", "enabled", "true,true", "ja"])
def test_a_text_that_says_neither_is_a_fault(text: str) -> None:
    with pytest.raises(ValueError, match="true"):
        flag(text)


@pytest.mark.parametrize(
    ("name", "text", "option"),
    [
        ("ca", "/etc/ca.crt", "/etc/ca.crt"),
        ("ca", "/old/ca.crt, /new/ca.crt", ("/old/ca.crt", "/new/ca.crt")),
        ("crl", "/root.crl,/issuing.crl", ("/root.crl", "/issuing.crl")),
        ("require_proxy_success", "off", False),
        ("shared_secret", "X-Secret:  the value ", ("X-Secret", ["the value"])),
        ("shared_secret", "X-Secret: new: 1 , old", ("X-Secret", ["new: 1", "old"])),
        ("max_depth", "3", 3),
        ("clock_skew", "0.5", 0.5),
        ("trusted_proxies", "10.0.0.1, unix", "10.0.0.1, unix"),
    ],
)
def test_each_option_is_read_from_its_text(name: str, text: str, option: Any) -> None:
    assert options_of({name: text}, OPTIONS, shown) == {name: option}


def test_what_is_not_text_is_taken_as_it_is_and_none_is_as_if_not_set() -> None:
    secret = ("X-Secret", "the value")
    assert options_of({"shared_secret": secret, "max_depth": 3, "crl": None}, OPTIONS, shown) == {
        "shared_secret": secret,
        "max_depth": 3,
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_dept": "3"}, r"THE_MAX_DEPT is not an option; did you mean THE_MAX_DEPTH\?; there are THE_CA, THE_CRL"),
        ({"zzz": "3"}, "THE_ZZZ is not an option; there are THE_CA"),
        ({"zzz": None}, "THE_ZZZ is not an option"),
        ({"crl": ""}, "THE_CRL='' is empty"),
        ({"crl": " "}, "THE_CRL=' ' is empty"),
        ({"ca": "/old/ca.crt,"}, "THE_CA='/old/ca.crt,': say a path, or several with a comma"),
        ({"crl": "a.crl,,b.crl"}, "THE_CRL='a.crl,,b.crl': say a path"),
        ({"max_depth": "three"}, "THE_MAX_DEPTH='three'"),
        ({"require_proxy_success": "maybe"}, "THE_REQUIRE_PROXY_SUCCESS='maybe': say one of 1, true"),
    ],
)
def test_what_would_be_missing_in_silence_is_a_fault(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options_of(values, OPTIONS, shown)


@pytest.mark.parametrize("text", ["hunter2-hunter2", ": hunter2", "hunter2:", " "])
def test_no_message_holds_a_secret(text: str) -> None:
    with pytest.raises(ValueError, match="THE_SHARED_SECRET") as caught:
        options_of({"shared_secret": text}, OPTIONS, shown)
    assert "hunter2" not in str(caught.value)


def test_the_environment_gives_what_starts_with_the_prefix() -> None:
    environ = {"MTLS_CA": "ca.crt", "MTLS_MAX_DEPTH": "3", "PATH": "/bin", "XMTLS_CRL": "x"}
    assert from_environment("MTLS_", environ) == {"ca": "ca.crt", "max_depth": "3"}


@pytest.mark.parametrize(
    ("name", "said"), [("trafik", "; did you mean 'traefik'?"), ("squid", ""), ("", ""), (None, ""), (5, "")]
)
def test_only_a_name_that_is_close_to_a_known_one_is_proposed(name: object, said: str) -> None:
    assert did_you_mean(name, ("nginx", "traefik", "haproxy")) == said
