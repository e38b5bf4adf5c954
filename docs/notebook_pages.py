"""Makes pages of the notebooks in examples/, as they are kept: nothing is run.

Sphinx reads only what is in its folder, so they are copied to docs/notebooks/, with links that lead
to pages of the site where those of a notebook lead to their sources.
"""

import json
import re
from pathlib import Path

DOCS = Path(__file__).parent
EXAMPLES = DOCS.parent / "examples"
COPIES = DOCS / "notebooks"
LINK = re.compile(r"\]\(\.\./docs/([^)#]+)")


def page_of(notebook):
    """Return the text of a notebook with links from docs/notebooks/."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = LINK.sub(r"](../\1", "".join(cell["source"]))
    return json.dumps(content, ensure_ascii=False, indent=1)


def copy_notebooks(app):
    """Copy those that have changed, and remove copies of what is not there any more."""
    COPIES.mkdir(exist_ok=True)
    notebooks = {path.name: page_of(path) for path in EXAMPLES.glob("*.ipynb")}
    for path in COPIES.iterdir():
        if path.name not in notebooks:
            path.unlink()
    for name, text in notebooks.items():
        path = COPIES / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app):
    """Copy before Sphinx looks for pages."""
    app.connect("builder-inited", copy_notebooks)
    return {"parallel_read_safe": True}
