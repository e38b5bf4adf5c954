"""Scenes and tables of reports, and a strict reader of their HTML."""

import base64
import io
import json
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from skensir.comparison.report import write_report

HOSTILE = (
    "</script><script>document.title = 'hacked'</script>",
    "<!--<script>",
    "\" onclick='document.title = 1' & &lt; {{scenes}} {{title}} \\u003c \u2028",
    "</title></th><img src=x onerror='document.title = 2'>",
    "__proto__",
    "constructor",
)


def row(name, psnr=None, ssim=None, seconds_fit=None, seconds_image=None):
    return {
        "name": name,
        "psnr": psnr,
        "ssim": ssim,
        "seconds_fit": seconds_fit,
        "seconds_image": seconds_image,
    }


def make_scene(name="scene", images=None, target=None, weight_maps=None, data_range=255):
    """Return a scene; without images it has one, which is the truth."""
    target = np.zeros((3, 4)) if target is None else target
    return {
        "name": name,
        "target": target,
        "images": {"a": target} if images is None else images,
        "weight_maps": weight_maps or {},
        "data_range": data_range,
    }


class PageParser(HTMLParser):
    """Read a page strictly: every element that is opened is closed, in order."""

    VOID = ("meta", "link")

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.texts, self.scripts = [], [], [], []
        self.rows = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, *attribute) for attribute in attrs]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
        if tag == "script":
            self.scripts.append([dict(attrs), ""])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1][1] += data
        else:
            self.texts.append(data)
        if {"th", "td"} & set(self.open):
            self.rows[-1][-1] += data

    @property
    def scenes(self):
        return [
            {"name": attrs["data-name"], **json.loads(text)}
            for attrs, text in self.scripts
            if attrs.get("class") == "scene"
        ]

    @property
    def data(self):
        [text] = [text for attrs, text in self.scripts if attrs.get("id") == "data"]
        return json.loads(text)


def write_and_parse(tmp_path, table, scenes, title="Title", notes="", **more):
    path = tmp_path / "report.html"
    write_report(path, title, table, scenes, notes, **more)
    assert list(tmp_path.iterdir()) == [path]
    return PageParser(path.read_text("utf-8"))


def decode(picture):
    """Return the bytes of a picture as they are stored."""
    with Image.open(io.BytesIO(base64.b64decode(picture["data"], validate=True))) as image:
        assert image.format.lower() == picture["type"]
        return np.asarray(image)


def image_of(scene, row):
    """Return the image of a row as the page shows it; 0 is the truth."""
    picture = scene["layers"][row]["image"]
    image = as_seen(scene, decode(picture))
    if "plus" in picture:
        assert "plus" not in scene["layers"][picture["plus"]]["image"]
        image = image + image_of(scene, picture["plus"])  # modulo 256
    return image


def weight_of(scene, row, model):
    """Return a weight map as the page shows it."""
    return as_seen({"channels": ["grey"]}, decode(scene["layers"][row]["weights"][model])) / 255


def as_seen(scene, image):
    """Take one channel of three that are equal, as WebP has no grey."""
    if len(scene["channels"]) == 1 and image.ndim == 3:
        assert (image == image[..., :1]).all()
        return image[..., 0]
    return image
