"""The application's tests: `python manage.py test shop`. A CA of their own stands in for the shop's."""

from __future__ import annotations

from django.test import SimpleTestCase
from rest_framework.test import APIClient

from sslclientcert.django import authenticator
from sslclientcert.testing import ClientCA, trusting

ca = ClientCA()


class ShopTests(SimpleTestCase):
    client_class = APIClient

    def setUp(self) -> None:
        self.enterContext(trusting(authenticator(), ca))

    def test_a_client_is_known_by_its_certificate(self) -> None:
        answer = self.client.get("/me", headers=ca.issue("cart").headers())
        self.assertEqual(answer.json()["common_name"], "cart")

    def test_only_the_health_check_needs_no_certificate(self) -> None:
        self.assertEqual(self.client.get("/healthz").content, b"ok")
        self.assertEqual(self.client.get("/me").json()["code"], "certificate_missing")

    def test_only_purchasing_orders(self) -> None:
        buyer = ca.issue("bob", organizational_unit="Purchasing")
        other = ca.issue("carol", organizational_unit="Sales")
        answer = self.client.post("/orders?article=a+book", headers=buyer.headers())
        self.assertEqual(answer.json(), "a book for bob")
        answer = self.client.post("/orders?article=a+book", headers=other.headers())
        self.assertEqual((answer.status_code, answer.json()), (403, {"detail": "The client is not authorized."}))

    def test_only_the_warehouse_reads_the_orders(self) -> None:
        warehouse = ca.issue("", uris=["spiffe://shop.example/warehouse"])
        self.assertIsInstance(self.client.get("/orders", headers=warehouse.headers()).json(), list)
        self.assertEqual(self.client.get("/orders", headers=ca.issue("bob").headers()).status_code, 403)

    def test_the_api_documents_its_scheme(self) -> None:
        answer = self.client.get("/schema?format=json", headers=ca.issue("anybody").headers())
        schemes = answer.json()["components"]["securitySchemes"]
        self.assertEqual(schemes, {"MutualTLS": {"type": "mutualTLS"}})
