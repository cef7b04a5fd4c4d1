from __future__ import annotations

import pytest

import sslclientcert.testing


def test_every_public_name_is_there_when_asked_for() -> None:
    assert {name for name in sslclientcert.testing.__all__ if hasattr(sslclientcert.testing, name)} == {
        *sslclientcert.testing.__all__
    }
    assert dir(sslclientcert.testing) == sorted(sslclientcert.testing.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'Nothing'"):
        sslclientcert.testing.Nothing  # noqa: B018 - asking for it is the point
