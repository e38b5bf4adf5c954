"""Warns of pages that would ask a host for something when they are looked at.

Links that a reader follows may lead anywhere. Scripts, styles, fonts and pictures may not.
"""

import re
from pathlib import Path

from sphinx.util import logging

IN_PAGES = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\s(?:src|srcset)=[\"']?(?:https?:)?//[^>]*>"
    r"|<link\b(?![^>]*rel=[\"']?(?:canonical|next|prev|author|help))[^>]*href=[\"']?(?:https?:)?//[^>]*>"
)
IN_STYLES = re.compile(r"(?:@import\s+[\"']?|url\([\"']?)(?:https?:)?//[^)\"'\s]*")
PASSED_OVER = ("lite",)  # JupyterLite, which is there only on request, and needs a network


def requests_of(folder):
    """Return by path what files of the site ask other hosts for."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.relative_to(folder).parts[0] in PASSED_OVER:
            continue
        pattern = {".html": IN_PAGES, ".css": IN_STYLES}.get(path.suffix)
        if pattern and (wanted := pattern.findall(path.read_text(encoding="utf-8"))):
            found[path.relative_to(folder).as_posix()] = wanted
    return found


def warn_of_requests(app, exception):
    """Warn once the site is there."""
    if exception is None and app.builder.format == "html":
        for path, wanted in requests_of(app.outdir).items():
            logging.getLogger(__name__).warning("%s asks a host: %s", path, wanted[0])


def setup(app):
    """Look when all is written."""
    app.connect("build-finished", warn_of_requests, priority=900)
    return {"parallel_read_safe": True}
