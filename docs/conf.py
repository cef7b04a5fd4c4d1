"""The site's configuration: Markdown by MyST, the API reference from the docstrings."""

from __future__ import annotations

import django
from django.conf import settings

import sslclientcert

# What autodoc needs to import the adapters of Django and Django REST framework.
settings.configure(INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "sslclientcert.django"])
django.setup()

project = "sslclientcert"
author = "The sslclientcert contributors"
project_copyright = f"2026 {author}"
version = release = sslclientcert.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
default_role = "code"  # docstrings write `names` as Markdown does

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3

# Docstrings say "Parameters:" with a colon and an indented list.
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"

html_theme = "furo"
html_title = f"sslclientcert {release}"
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
