"""Sphinx configuration of the documentation site, which `make docs` builds (build_site.py)."""

import os
import sys
from pathlib import Path

ROOT = next(p for p in Path(__file__).resolve().parents if (p / "pyproject.toml").exists())
sys.path.insert(0, str(ROOT))

import skrnn  # noqa: E402

project = "skrnn"
author = "The skrnn developers"
copyright = "The skrnn developers, BSD 3-Clause license"
version = release = skrnn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.doctest",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]

source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
exclude_patterns = ["sg_execution_times.rst", "gallery/sg_execution_times.rst"]
nitpicky = False
default_role = "literal"

myst_enable_extensions = ["colon_fence", "dollarmath", "amsmath", "fieldlist"]
myst_heading_anchors = 4

templates_path = ["_templates"]
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = True
numpydoc_show_inherited_class_members = True
numpydoc_class_members_toctree = False
numpydoc_attributes_as_param_list = True

# The inventories lie on other hosts: a build without a network leaves those links as plain code.
if os.environ.get("SKRNN_DOCS_ONLINE") == "1":
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
    }

# These take minutes or need data that are not in the repository: they are shown, not run.
NOT_RUN = (
    "adding_problem",
    "airline",
    "clipping",
    "dask_cluster",
    "ewt_tagger",
    "exploding_vanishing",
    "forget_gate",
    "out_of_core",
    "quickstart",
    "shakespeare",
    "spoken_digits",
)
sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": rf"/(?!({'|'.join(NOT_RUN)})\.py)[^/]+\.py$",
    "doc_module": ("skrnn",),
    "backreferences_dir": "gallery/backreferences",
    "reference_url": {"skrnn": None},
    "show_memory": False,
    "download_all_examples": False,
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "plot_gallery": "True",
    "min_reported_time": 5,
}

html_theme = "pydata_sphinx_theme"
html_title = "skrnn"
html_static_path = ["_static"]
html_css_files = ["skrnn.css"]
html_favicon = "_static/skrnn.svg"
html_logo = "_static/skrnn.svg"
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skrnn"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "secondary_sidebar_items": ["page-toc"],
}
