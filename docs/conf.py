"""Configuration of the documentation."""

import re

import sklearn_flipad

project = "sklearn_flipad"
author = "the sklearn_flipad developers"
copyright = "2026, the sklearn_flipad developers"
version = release = sklearn_flipad.__version__

extensions = [
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/*.ipynb"]
html_theme = "pydata_sphinx_theme"
html_title = "sklearn_flipad"
html_theme_options = {"navigation_with_keys": False, "show_prev_next": False}
html_show_sourcelink = False

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


def _skip_inherited(app, what, name, obj, skip, options):
    """Leave out what torch and scikit-learn document themselves."""
    function = obj.fget if isinstance(obj, property) else obj
    module = getattr(function, "__module__", None) or ""
    return skip or not module.startswith("sklearn_flipad")


def _escape_stars(app, what, name, obj, options, lines):
    """A star in a shape such as (n, *output_shape) is no emphasis."""
    lines[:] = [re.sub(r"(?<!`)\((\w+[^()`]*), \*", r"(\1, \*", line) for line in lines]


def setup(app):
    """Connect the handlers."""
    app.connect("autodoc-skip-member", _skip_inherited)
    app.connect("autodoc-process-docstring", _escape_stars)
