"""The guide to variants, followed to the letter in a copy of the repository."""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from tests.docs import pages

PAGE = (pages.DOCS / "guides/variants.md").read_text()
STEPS = re.findall(
    r"^`(\S+)`(, add)?:\n\n```\w+\n(.*?)^```$", PAGE, re.M | re.S
)
COPIED = ("keras_vae", "recipes", "tests", "docs")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy with all steps of the guide done."""
    folder = tmp_path_factory.mktemp("clone")
    for name in COPIED:
        shutil.copytree(
            pages.ROOT / name,
            folder / name,
            ignore=shutil.ignore_patterns("__pycache__", "_build"),
        )
    for path in (*pages.ROOT.glob("*.md"), *pages.ROOT.glob("*.toml")):
        shutil.copy(path, folder)
    shutil.copy(pages.ROOT / "setup.cfg", folder)
    for name, is_edit, text in STEPS:
        path = folder / name
        if is_edit:
            text = edited(path.read_text(), text)
        else:
            assert not path.exists(), name
        path.write_text(text)
    return folder


def edited(text, diff):
    """Adds the lines with a plus; those around them stand there once."""
    for part in diff.split("@@\n"):
        lines = part.splitlines(keepends=True)
        assert all(line[0] in " +" for line in lines)
        old = "".join(line[1:] for line in lines if line[0] == " ")
        assert text.count(f"\n{old}") == 1, old
        new = "".join(line[1:] for line in lines)
        text = text.replace(f"\n{old}", f"\n{new}")
    return text


def test_every_block_of_a_file_is_used():
    assert len(STEPS) == len(re.findall(r"^```(?:python|diff)$", PAGE, re.M))


def test_suite_passes(clone):
    (command,) = re.findall(r"^```bash\n(.*?)^```", PAGE, re.M | re.S)
    interpreter = pathlib.Path(sys.executable).parent
    said = subprocess.run(
        ["bash", "-c", command],
        cwd=clone,
        env=os.environ | {"PATH": f"{interpreter}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stdout[-5000:]
    assert int(re.search(r"(\d+) passed", said.stdout)[1]) > 20


def test_code_has_the_style_of_the_rest(clone):
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("ruff is among the requirements of development")
    files = [name for name, _, _ in STEPS if name.endswith(".py")]
    for command in (["check"], ["format", "--check"]):
        subprocess.run(
            [sys.executable, "-m", "ruff", *command, *files],
            cwd=clone,
            check=True,
        )
