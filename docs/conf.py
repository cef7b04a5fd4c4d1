"""The site's configuration: Markdown by MyST, the API reference from the docstrings."""

from __future__ import annotations

import importlib
import pkgutil

import django
from django.conf import settings
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.logging import getLogger

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
html_static_path = ["_static"]
html_css_files = ["narrow.css"]
html_js_files = ["narrow.js"]
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True


def every_public_name_is_in_the_reference(_: Sphinx, env: BuildEnvironment) -> None:
    """Warn of what a module offers and docs/api.md leaves out; a warning ends `make docs`."""
    documented = {name for name, *_ in env.domains["py"].get_objects()}
    inside = {"core", "cli", "answers"}  # nothing that other code may rely on, but for what the page names
    offered = {each.name for each in pkgutil.iter_modules(sslclientcert.__path__)} - inside
    for module in ["sslclientcert", *(f"sslclientcert.{name}" for name in sorted(offered) if name[0] != "_")]:
        public = importlib.import_module(module).__all__
        for missing in sorted({f"{module}.{name}" for name in public} - documented):
            getLogger(__name__).warning("not in the API reference: %s", missing)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("env-check-consistency", every_public_name_is_in_the_reference)
