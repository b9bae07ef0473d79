"""Configuration of the documentation."""

import csv
import re
from pathlib import Path

from docutils import nodes

import sklearn_flipad
from sklearn_flipad.pipelines import METHODS

project = "sklearn_flipad"
author = "the sklearn_flipad developers"
copyright = "2026, the sklearn_flipad developers"
version = release = sklearn_flipad.__version__

extensions = [
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/*.ipynb"]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_title = "sklearn_flipad"
# More links would push the search into a second line at a width of 1280 pixels.
html_theme_options = {
    "header_links_before_dropdown": 3,
    "navigation_with_keys": False,
    "show_prev_next": False,
}
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
# Only the API and the gallery have pages below them.
_PAGES = {path.stem for path in Path(__file__).parent.glob("*.rst")}
html_sidebars = {page: [] for page in _PAGES - {"api"}}
toc_object_entries_show_parents = "hide"

autosummary_generate = True
autodoc_default_options = {"members": True, "inherited-members": True}
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
}


def _write_methods():
    """Write the tables of methods that ``method.rst`` and ``command.rst`` include."""
    rows = [["Name", "Function", "Judges by", "Needs of the model", "Judges", "Trained"]]
    of_command = [["``--method``", "Verdicts are based on", "Function"]]
    for method in METHODS.values():
        function = f":func:`~sklearn_flipad.{method.make.__name__}`"
        trained = "yes" if method.trains_on_negatives else "no"
        judges = ", ".join(method.judges)
        rows.append([method.name, function, method.title, method.needs, judges, trained])
        if method.arguments is not None:
            of_command.append([f"``{method.name}``", method.title, function])
    for name, table in (("_methods.csv", rows), ("_command_methods.csv", of_command)):
        with open(Path(__file__).parent / name, "w", newline="") as file:
            csv.writer(file).writerows(table)


def _skip_inherited(app, what, name, obj, skip, options):
    """Leave out what torch and Python document themselves; None leaves the rest to autodoc."""
    function = obj.fget if isinstance(obj, property) else obj
    module = getattr(function, "__module__", None) or "builtins"
    return None if module.partition(".")[0] in ("sklearn_flipad", "sklearn") else True


def _plain(app, what, name, obj, options, lines):
    """A star in a shape is no emphasis; labels of scikit-learn's own guide lead nowhere."""
    for index, line in enumerate(lines):
        line = re.sub(r"(?<!`)\((\w+[^()`]*), \*", r"(\1, \*", line)
        line = re.sub(r":ref:`([^`<]*?)\s*<[^`]*>`", r"\1", line)
        line = re.sub(r":ref:`sphx_glr[^`]*`", "scikit-learn's examples", line)
        lines[index] = re.sub(r":term:`([^`]*)`", r"\1", line)


def _mark_short_cells(app, doctree):
    """Give short cells of tables a class: numbers and names do not wrap."""
    for entry in doctree.findall(nodes.entry):
        text = entry.astext()
        if len(text) <= 10 or (len(text) <= 16 and " " not in text):
            entry["classes"].append("short")


def setup(app):
    """Write the table, connect the handlers."""
    _write_methods()
    app.connect("doctree-read", _mark_short_cells)
    app.connect("autodoc-skip-member", _skip_inherited)
    app.connect("autodoc-process-docstring", _plain)
