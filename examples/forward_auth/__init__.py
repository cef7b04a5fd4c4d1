"""A service that answers nginx's and Traefik's question about a client."""

from __future__ import annotations
