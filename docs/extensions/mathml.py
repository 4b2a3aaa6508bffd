"""Formulas as MathML, which browsers show without scripts or fonts."""

import latex2mathml.converter
from docutils import nodes


def _inline(translator, node):
    translator.body.append(latex2mathml.converter.convert(node.astext()))
    raise nodes.SkipNode


def _block(translator, node):
    formula = latex2mathml.converter.convert(node.astext(), display="block")
    style = "overflow-x: auto; overflow-y: hidden"
    translator.body.append(f'<div style="{style}">{formula}</div>\n')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
