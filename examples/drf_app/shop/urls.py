"""The URLs."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from . import views

urlpatterns = [
    path("healthz", views.healthy),
    path("me", views.me),
    path("orders", views.Orders.as_view()),
    path("schema", SpectacularAPIView.as_view()),
]
