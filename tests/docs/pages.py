"""The pages, and the code that stands in them."""

import contextlib
import importlib.util
import io
import pathlib
import re
import typing

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
_EXAMPLE = r"^```python\n(.*?)^```(?:\n\n```text\n(.*?)^```)?"


class Example(typing.NamedTuple):
    """A block of Python, and the block of text right behind it, if any."""

    name: str
    code: str
    output: str


def module(path):
    """A program of the documentation, which is in no package, imported."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def examples(page):
    """Examples of the page at a path, in their order."""
    found = re.findall(_EXAMPLE, page.read_text(), re.MULTILINE | re.DOTALL)
    return [
        Example(f"{page.name}, example {number}", code, output)
        for number, (code, output) in enumerate(found, 1)
    ]


def run(example, names):
    """Runs one, which must print its output; lines may be broken there."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example.code, example.name, "exec"), names)
    if example.output:
        assert printed.getvalue().split() == example.output.split()


def run_all(page):
    """A reader copies the first, and goes on with the others."""
    found = examples(page)
    assert found, "a page has an example"
    names = {"__name__": "example"}
    for example in found:
        run(example, names)
    return names
