"""The application's tests: `python manage.py test shop`. A CA of their own stands in for the shop's."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import TestCase

from sslclientcert.django import authenticator
from sslclientcert.testing import ClientCA, trusting

ca = ClientCA()


class ShopTests(TestCase):
    def setUp(self) -> None:
        self.enterContext(trusting(authenticator(), ca))
        User.objects.create_user("alice", "alice@shop.example")

    def test_a_client_is_known_by_its_certificate(self) -> None:
        answer = self.client.get("/me", headers=ca.issue("cart").headers())
        self.assertEqual(answer.json()["common_name"], "cart")

    def test_only_the_health_check_needs_no_certificate(self) -> None:
        self.assertEqual(self.client.get("/healthz").content, b"ok")
        self.assertEqual(self.client.get("/me").json()["code"], "certificate_missing")

    def test_a_user_is_found_by_the_address_in_the_certificate(self) -> None:
        alice = ca.issue("Alice Example", emails=["alice@shop.example"])
        self.assertEqual(self.client.get("/account", headers=alice.headers()).content, b"alice")

    def test_a_client_that_is_no_user_is_asked_to_log_in(self) -> None:
        self.assertEqual(self.client.get("/account", headers=ca.issue("cart").headers()).status_code, 302)

    async def test_the_same_without_a_thread(self) -> None:
        alice = ca.issue("Alice Example", emails=["alice@shop.example"])
        answer = await self.async_client.get("/account", headers=alice.headers())
        self.assertEqual(answer.content, b"alice")

    def test_only_purchasing_orders(self) -> None:
        buyer = ca.issue("bob", organizational_unit="Purchasing")
        other = ca.issue("carol", organizational_unit="Sales")
        answer = self.client.post("/orders", {"article": "a book"}, headers=buyer.headers())
        self.assertEqual(answer.content, b"a book for bob")
        answer = self.client.post("/orders", {"article": "a book"}, headers=other.headers())
        self.assertEqual(answer.json()["code"], "not_authorized")

    def test_only_the_warehouse_reads_the_orders(self) -> None:
        warehouse = ca.issue("", uris=["spiffe://shop.example/warehouse"])
        self.assertIsInstance(self.client.get("/orders/all", headers=warehouse.headers()).json(), list)
        answer = self.client.get("/orders/all", headers=ca.issue("bob").headers())
        self.assertEqual(answer.json()["code"], "not_authorized")
