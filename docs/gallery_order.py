"""In which order the gallery shows its examples, and what they begin with in a browser."""

ORDER = [
    "plot_cells.py",
    "plot_stacking.py",
    "plot_hierarchy.py",
    "plot_bin_width.py",
    "plot_weight_maps.py",
    "plot_intervals.py",
    "plot_batches.py",
]


def gallery_order(file):
    """Return the key by which the examples of a folder are sorted: from the first steps on."""
    return (ORDER.index(file) if file in ORDER else len(ORDER), file)


def install_in_browser(notebook, filename):
    """Begin a notebook that runs in the browser with a cell that installs what it needs."""
    code = "".join(
        "".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"
    )
    packages = ["skensir", "matplotlib"]
    packages += ["pandas"] if "pandas" in code else []
    if "skensir.image" in code or "skensir.demo" in code:
        packages += ["opencv-python", "tifffile", "tqdm"]
    packages += ["scikit-image"] if "skensir.demo" in code else []
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "install",
        "metadata": {},
        "outputs": [],
        "source": [f"%pip install -q {' '.join(packages)}"],
    }
    notebook["cells"].insert(0, cell)
