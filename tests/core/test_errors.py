from __future__ import annotations

import copy
import pickle

import pytest

from sslclientcert.core import errors
from sslclientcert.core.errors import ClientCertError, HeaderMalformed, quoted, serial_text

# Code to status: what clients, dashboards and alerts rely on.
CONTRACT = {
    "certificate_missing": 403,
    "header_malformed": 400,
    "header_ambiguous": 400,
    "header_too_large": 431,
    "certificate_malformed": 400,
    "forwarding_inconsistent": 400,
    "proxy_untrusted": 403,
    "certificate_untrusted": 403,
    "certificate_expired": 403,
    "certificate_not_yet_valid": 403,
    "certificate_unsuitable": 403,
    "certificate_revoked": 403,
    "revocation_unknown": 403,
    "not_authorized": 403,
    "ca_expired": 503,
    "trust_store_unavailable": 503,
}
KINDS = ClientCertError.__subclasses__()


def test_the_codes_and_their_statuses_are_those_of_the_contract_and_no_others() -> None:
    assert {kind.code: kind.status for kind in KINDS} == CONTRACT
    assert len(KINDS) == len(CONTRACT)


def test_every_kind_is_exported_by_its_module() -> None:
    assert {kind.__name__ for kind in KINDS} < set(errors.__all__)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_a_problem_holds_the_fixed_title_the_status_and_the_code_and_never_the_detail(
    kind: type[ClientCertError],
) -> None:
    problem = kind("the secret detail").problem()

    assert problem == {"title": kind.title, "status": kind.status, "code": kind.code}
    assert problem == kind("another detail").problem()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_the_text_of_an_error_is_its_code_and_its_detail(kind: type[ClientCertError]) -> None:
    assert str(kind("what happened")) == f"{kind.code}: what happened"


def test_titles_tell_the_kinds_apart() -> None:
    assert len({kind.title for kind in KINDS}) == len(KINDS)


def test_a_long_detail_is_clipped() -> None:
    error = HeaderMalformed("x" * 1_000_000)

    assert len(error.detail) < 2100
    assert error.detail.endswith("...")
    assert len(str(error)) < 2200


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_survives_being_copied_and_sent_to_another_process(duplicate: object) -> None:
    error = duplicate(HeaderMalformed("what happened"))  # type: ignore[operator]

    assert type(error) is HeaderMalformed
    assert (error.detail, str(error)) == ("what happened", "header_malformed: what happened")


@pytest.mark.parametrize(
    "hostile",
    ["a\r\nb", "a\x00b", "a\x1b[31mb", "Zoë", "漢字", "\u2028", "\ud800", "a\\b", "'\"", b"\xff\n", "\x7f", 5, None],
)
def test_a_quotation_is_printable_ascii_on_one_line(hostile: object) -> None:
    text = quoted(hostile)

    assert text.isascii()
    assert text.isprintable()
    assert text[0] == text[-1]
    assert text[0] in "'\""


def test_different_texts_have_different_quotations() -> None:
    assert quoted("a\nb") != quoted("a\\nb")


def test_a_quotation_is_clipped_to_its_limit_before_it_is_escaped() -> None:
    assert quoted("a" * 200) == "'" + "a" * 200 + "'"
    assert quoted("a" * 201) == "'" + "a" * 200 + "...'"
    assert quoted("a" * 1_000_000, 10) == "'aaaaaaaaaa...'"


@pytest.mark.parametrize(("number", "text"), [(0, "00"), (5, "05"), (0xAB0, "0AB0"), (-5, "-05")])
def test_a_serial_number_has_an_even_number_of_digits(number: int, text: str) -> None:
    assert serial_text(number) == text
