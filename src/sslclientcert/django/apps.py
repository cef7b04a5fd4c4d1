"""The Django application: it has no models, only system checks."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core import checks
from typing_extensions import override

__all__ = ["ClientCertConfig"]


class ClientCertConfig(AppConfig):
    """Registers the system checks."""

    name = "sslclientcert.django"
    label = "sslclientcert"
    verbose_name: Any = "Client certificates"

    @override
    def ready(self) -> None:
        """Register the system checks."""
        from .checks import check, check_trusted_proxies

        checks.register(check, checks.Tags.security)
        checks.register(check_trusted_proxies, checks.Tags.security, deploy=True)
