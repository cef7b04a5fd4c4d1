"""The URLs."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("healthz", views.healthy),
    path("me", views.me),
    path("account", views.account),
    path("orders", views.order),
    path("orders/all", views.AllOrders.as_view()),
]
