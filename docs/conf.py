"""Settings of the documentation. Nothing here asks a host at build time."""

import sys
from pathlib import Path

import matplotlib
from sphinx.pycode import ModuleAnalyzer

import skensir

matplotlib.use("Agg")

project = "skensir"
author = "The skensir developers"
project_copyright = f"2026, {author}"
version = release = skensir.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["api/templates"]
exclude_patterns = ["_build", "api/templates"]
default_role = "py:obj"
extlinks = {"arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s")}

autosummary_generate = True
autodoc_mock_imports = ["torch"]  # large, and what a module inherits there is not ours to explain
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings name the types, in words
numpydoc_show_class_members = False  # the class template lists them

sphinx_gallery_conf = {
    "examples_dirs": str(Path(__file__).parents[1] / "examples"),
    "gallery_dirs": "auto_examples",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skensir {version}"
html_show_sphinx = False
html_sidebars = {page: [] for page in ("*", "auto_examples/*")}  # only the API needs one
html_theme_options = {
    "logo": {"text": "skensir"},
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
}


def skip_member(app, what, name, member, skip, options):
    """Leave the methods of scikit-learn and PyTorch to their documentation."""
    origin = getattr(member, "__module__", None) or ""
    return True if name.startswith("set_") or origin.startswith(("sklearn.", "torch.")) else None


def use_docstring_of_data(app, what, name, obj, options, lines):
    """Give data the docstring that follows it in its module, not that of its type."""
    attribute = name.rpartition(".")[2]
    if what == "data":
        for module_name, module in sorted(sys.modules.items()):
            if module_name.startswith("skensir.") and getattr(module, attribute, None) is obj:
                docs = ModuleAnalyzer.for_module(module_name).find_attr_docs()
                lines[:] = docs.get(("", attribute), lines)


def setup(app):
    app.connect("autodoc-skip-member", skip_member)
    app.connect("autodoc-process-docstring", use_docstring_of_data, priority=900)  # the last
