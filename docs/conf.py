"""Sphinx configuration: strict, offline."""

import importlib.metadata
import inspect
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "extensions"))

project = "keras_vae"
author = "the keras_vae authors"
copyright = "the keras_vae authors, Apache License 2.0"
release = importlib.metadata.version("keras_vae")

extensions = ["mathml", "myst_parser", "sphinx.ext.autodoc"]
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath"]
# The notes are a part of benchmarks.md.
exclude_patterns = ["_build", "benchmarks/notes.md"]
html_theme = "furo"
html_title = f"keras_vae {release}"
# Headings are link targets: results.md#iwae, say.
myst_heading_anchors = 3
# Keras documents what a class overrides; here is only what it adds.
autodoc_inherit_docstrings = False
# Docstrings say types, and more of them: shapes, ranges, dtypes.
autodoc_typehints = "none"
# Quotes and dots in docstrings are code.
smartquotes = False


def show_signature(app, what, name, obj, options, signature, returns):
    """Shows the arguments of __init__; Keras hides them behind __new__."""
    if what != "class":
        return None
    parameters = inspect.signature(obj.__init__).parameters.values()
    arguments = [
        p.replace(annotation=p.empty) for p in parameters if p.name != "self"
    ]
    return str(inspect.Signature(arguments)), returns


def show_as_written(app, what, name, obj, options, lines):
    """Keeps docstrings as they are: plain text with ASCII mathematics."""
    summary, rest = lines[:1], lines[1:]
    literal = [f"    {line}" for line in rest]
    lines[:] = [re.sub(r"([*`|_\\])", r"\\\1", line) for line in summary]
    if any(rest):
        lines += ["", ".. code-block:: text", "", *literal, ""]


def setup(app):
    app.connect("autodoc-process-signature", show_signature)
    app.connect("autodoc-process-docstring", show_as_written)
