"""The repository as a newcomer meets it: commands, examples, links."""

import configparser
import importlib
import pathlib
import pkgutil
import re
import subprocess

import pytest

import keras_vae

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "saved_models/*.md")
    for path in sorted(ROOT.glob(pattern))
    if "_build" not in path.parts
]


def setup_cfg():
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg")
    return config


def block(marker):
    """The fenced block of the README that follows a comment."""
    pattern = rf"^<!-- {marker} -->\n```\w+\n(.*?)^```$"
    (found,) = re.findall(pattern, README, re.MULTILINE | re.DOTALL)
    return found


def first_column(heading):
    """The code names in the first column of the table under a heading."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)`", section, re.MULTILINE)


@pytest.mark.parametrize(
    ("marker", "command"),
    [
        ("command: train", r"pip install -e \. && .*python -m recipes\.(\w+)"),
        ("command: test", r'pip install -e "\.\[(test)\]" && .*/pytest .*'),
    ],
)
def test_ci_runs_the_commands_of_the_readme(marker, command):
    script = ROOT / ".ci" / "run"
    subprocess.run(["bash", "-n", script], check=True)
    function = re.search(r"^readme\(\).*?^}", script.read_text(), re.M | re.S)
    read = subprocess.run(
        ["bash", "-c", f'{function[0]}\nreadme "{marker}"'],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert read == block(marker)
    assert read.count("\n") == 1
    target = re.fullmatch(rf"python3 -m venv \.venv && .*{command}\n", read)[1]
    assert (
        target in setup_cfg()["options.extras_require"]
        or (ROOT / "recipes" / f"{target}.py").is_file()
    )


def test_quick_start_runs_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = block("quick start")
    assert code.count("\n") <= 12

    names = {}
    exec(compile(code, "README.md", "exec"), names)

    neg_elbo = names["model"].history.history["val_neg_elbo"]
    assert neg_elbo[-1] < neg_elbo[0]
    assert names["digits"].shape == (16, 8, 8, 1)
    assert (tmp_path / "saved_models/digits/1/saved_model.pb").is_file()


def test_readme_lists_the_models_that_exist():
    models = importlib.import_module("keras_vae.models")
    named = {
        name
        for name in models.__all__
        if issubclass(getattr(models, name), models.TermModel)
    }
    assert set(first_column("Models")) == named - {"TermModel"}


def test_readme_lists_the_recipes_that_exist():
    recipes = {
        path.stem
        for path in ROOT.glob("recipes/*.py")
        if '__name__ == "__main__"' in path.read_text()
    }
    assert set(first_column("Recipes")) == recipes
    results = (ROOT / "docs/results.md").read_text()
    assert all(f"\n## {recipe}\n" in results for recipe in recipes)


def test_api_page_lists_every_package():
    packages = {
        module.name
        for module in pkgutil.walk_packages(keras_vae.__path__, "keras_vae.")
        if module.ispkg
    }
    api = (ROOT / "docs/api.md").read_text()
    assert set(re.findall(r"automodule:: ([\w.]+)", api)) == packages


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (ROOT / page).parent / path if path else ROOT / page
        assert linked.is_file(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", t.lower()) for t in titles]
            assert anchor in [s.replace(" ", "-") for s in slugs], target


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_no_path_of_one_machine(page):
    text = (ROOT / page).read_text()
    assert not re.findall(r"(?<![\w.])/(?:home|root|tmp|opt|work)/", text)


def test_requirements_are_bounded_on_both_sides():
    config = setup_cfg()
    lists = [config["options"]["install_requires"]]
    lists += config["options.extras_require"].values()
    requirements = [
        line
        for line in "\n".join(lists).splitlines()
        if line and not line.startswith(("#", "keras_vae["))
    ]
    assert len(requirements) > 10
    for requirement in requirements:
        bounded = r"[\w-]+(\[[\w-]+\])?>=[\d.]+,<[\d.]+"
        assert re.fullmatch(bounded, requirement), requirement


def test_version_has_one_source():
    assert keras_vae.__version__ == setup_cfg()["metadata"]["version"]
