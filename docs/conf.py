"""Settings of the documentation. No host is asked, neither by the build nor by a page in use."""

import inspect
import os
import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import matplotlib
from sphinx.pycode import ModuleAnalyzer

import skensir
from skensir._documentation import FOLDER, SITE, URL

matplotlib.use("Agg")

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(DOCS))
from other_projects import write_inventories  # noqa: E402 - beside this file

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = PROJECT.get("urls", {}).get("Source", "https://github.com/skensir/skensir")

project = "skensir"
author = "The skensir developers"
project_copyright = f"2026, {author}"
release = skensir.__version__
version = release

extensions = [
    "commands_directive",
    "local_only",
    "matplotlib.sphinxext.plot_directive",
    "myst_nb",
    "notebook_pages",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinxext.opengraph",
]
templates_path = ["_templates", "api/templates"]
exclude_patterns = [
    "_build",
    "api/generated/backreferences",
    "api/templates",
    "**/GALLERY_HEADER.rst",
    "**/sg_execution_times.rst",
    "auto_examples/**.ipynb",  # for the browser; their pages are made of the scripts
    "jupyterlite_contents",
    "**/*.md",
    "_contents",
]
default_role = "py:obj"
smartquotes = False  # options and defaults are to be pasted
toc_object_entries_show_parents = "hide"
extlinks = {"arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s")}

autosummary_generate = True
autodoc_mock_imports = ["torch"]  # large, and what a module inherits there is not ours to explain
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings name the types, in words
numpydoc_show_class_members = False  # the class template lists them

intersphinx_mapping = write_inventories(DOCS / "_build" / "inventories")
intersphinx_disabled_reftypes = ["std:*"]  # a label that is not here is a mistake

# MathJax 3 with its fonts, out of a package that holds it whole: what a page needs is copied below.
MATHJAX = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
mathjax_path = "mathjax/tex-chtml.js"
MATHJAX_FILES = ["tex-chtml.js", "output/chtml/fonts", "input/tex/extensions"]

plot_formats = [("png", 150)]
plot_html_show_formats = False
plot_html_show_source_link = False

nb_execution_mode = "off"  # the outputs are those that are kept
jupyterlite_bind_ipynb_suffix = False  # notebooks are pages, whatever the browser can do

# On code alone, and of that neither prompts nor what is printed.
copybutton_selector = (
    "div[class*=highlight-]:not(.highlight-text, .highlight-none, .highlight-myst-ansi) pre"
)
copybutton_exclude = ".linenos, .gp, .go"

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "api/generated/backreferences",
    "doc_module": ("skensir",),
    "within_subsection_order": "gallery_order.gallery_order",
    "download_all_examples": False,
    "reference_url": {"skensir": None},
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,  # that page asks a host for its style
    "show_signature": False,
}
if find_spec("jupyterlite_sphinx") and find_spec("jupyterlite_pyodide_kernel"):
    # Links that run an example in the browser. There they need a network, which the site does not.
    extensions.append("jupyterlite_sphinx")
    sphinx_gallery_conf["jupyterlite"] = {
        "use_jupyter_lab": False,
        "notebook_modification_function": "gallery_order.install_in_browser",
    }
    if wheel := os.environ.get("SKENSIR_WHEEL"):  # of this version, served with the site
        jupyterlite_build_command_options = {"piplite-wheels": wheel}

ogp_site_url = URL
ogp_site_name = "skensir"
ogp_social_cards = {
    "font": "DejaVu Sans",
    "line_color": "#1d6fa5",
    "image_mini": "_static/card.png",
}

html_theme = "pydata_sphinx_theme"
html_title = "skensir"
html_show_sphinx = False
html_show_sourcelink = False  # "edit" leads to it
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_favicon = "_static/logo.svg"
html_baseurl = f"{SITE}stable/"  # what search engines are to show
html_sidebars = {"index": [], "search": [], "genindex": []}
html_theme_options = {
    "logo": {
        "text": "skensir",
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo.svg",
    },
    "header_links_before_dropdown": 7,
    "navbar_end": ["version-switcher", "theme-switcher", "navbar-icon-links"],
    "icon_links": [{"name": "Source code", "url": REPOSITORY, "icon": "fa-solid fa-code-branch"}],
    "switcher": {"json_url": "_static/switcher.json", "version_match": FOLDER},
    "show_version_warning_banner": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc", "edit-this-page"],
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "use_edit_page_button": True,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_context = {
    "default_mode": "auto",
    "edit_page_provider_name": "GitHub" if "github.com" in REPOSITORY else None,
    "edit_page_url_template": f"{REPOSITORY}/edit/main/{{{{ edited_file or file_name }}}}",
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


def source_of(page):
    """Return the file, from the root of the repository, that a page is made of."""
    folder, _, name = page.rpartition("/")
    if folder == "api/generated":
        module, _, attribute = name.rpartition(".")
        if module in sys.modules:
            thing = getattr(import_module(module), attribute, None)
            module = getattr(thing, "__module__", module)
        path = Path(inspect.getsourcefile(sys.modules.get(module, skensir)))
        return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else None
    if folder == "notebooks":
        return f"examples/{name}.ipynb"
    if folder.startswith("auto_examples"):
        folder = folder.replace("auto_examples", "examples", 1)
        return f"{folder}/{'GALLERY_HEADER.rst' if name == 'index' else name + '.py'}"
    return f"docs/{page}.rst"


def lead_to_the_source(app, pagename, templatename, context, doctree):
    """Let "edit" lead to what a page is made of: the docstring, the example or the text."""
    context["edited_file"] = source_of(pagename) if doctree else None
    if context["edited_file"] is None:
        context["theme_use_edit_page_button"] = False


def keep_paths_of_examples(app, config):
    """Put examples where the gallery's links look for them, at the root of JupyterLite's files."""
    if "jupyterlite_sphinx" in extensions:
        config.jupyterlite_contents = ["jupyterlite_contents/*"]


def leave_out_fonts(app, pagename, templatename, context, doctree):
    """Leave out the font that JupyterLite's extension would load for each page from a host."""
    files = context.get("css_files", [])
    context["css_files"] = [
        file for file in files if "//" not in str(getattr(file, "filename", file))
    ]


def copy_mathjax(app, exception):
    """Copy what pages need of MathJax, a tenth of it."""
    if exception is None and app.builder.format == "html":
        from sphinx.util.fileutil import copy_asset

        for name in MATHJAX_FILES:
            target = Path(app.outdir, "_static", "mathjax", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_asset(MATHJAX / name, target.parent if "." in target.name else target)


def setup(app):
    app.connect("autodoc-skip-member", skip_member)
    app.connect("autodoc-process-docstring", use_docstring_of_data, priority=900)  # the last
    app.connect("html-page-context", lead_to_the_source, priority=400)  # before the theme
    app.connect("config-inited", keep_paths_of_examples, priority=950)  # after the gallery
    app.connect("html-page-context", leave_out_fonts)
    app.connect("build-finished", copy_mathjax)
