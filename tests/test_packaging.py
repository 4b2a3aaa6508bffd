"""What is published: the source distribution, and the wheel made of it."""

import configparser
import pathlib
import pkgutil
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

import keras_vae

ROOT = pathlib.Path(__file__).parents[1]
FOLDERS = (".ci", "benchmarks", "docs", "keras_vae", "recipes", "tests")
FILES = (
    *(".gitignore", ".pre-commit-config.yaml"),
    *("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in"),
    *("README.md", "SECURITY.md", "pyproject.toml", "setup.cfg"),
    "saved_models/README.md",
)
PROGRAM = """
import importlib
import pkgutil
import sys

import keras_vae
from keras_vae import networks

print(keras_vae.__file__)
print(keras_vae.__version__)
for module in pkgutil.walk_packages(keras_vae.__path__, "keras_vae."):
    print(importlib.import_module(module.name).__name__)

data = keras_vae.datasets.load("digits", binarize="dynamic")
encoder = networks.mlp_encoder(data.event_shape, units=(32,))
decoder = networks.mlp_decoder(4, data.event_shape, units=(32,))
model = keras_vae.VAE(encoder, decoder, latent_dim=4)
model.compile("adam", jit_compile=False)
model.fit(data.train.take(1), verbose=0)
assert int(model.step) == 1
version = keras_vae.export_model(model, sys.argv[1])
print(" ".join(keras_vae.serving.verify(version)))
"""


def metadata(key):
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg")
    return config["metadata"][key]


def run(*command, **kwargs):
    return subprocess.run(
        [str(part) for part in command],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        **kwargs,
    ).stdout


def pip(*command):
    offline = ("--no-deps", "--no-index")
    run(sys.executable, "-m", "pip", "--no-input", *command, *offline)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the checkout, as a build writes beside its sources."""
    source = tmp_path_factory.mktemp("checkout") / "source"
    left = shutil.ignore_patterns("__pycache__", "*.py[cod]")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, ignore=left)
    shutil.rmtree(source / "docs" / "_build", ignore_errors=True)
    (source / "saved_models").mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    # What must not be published.
    for name in ("docs/_build/page.html", "recipes/__pycache__/a.pyc"):
        (source / name).parent.mkdir()
        (source / name).touch()
    return source


@pytest.fixture(scope="module")
def sdist(source):
    hook = "import sys; from setuptools import build_meta as backend; "
    hook += "backend.build_sdist(sys.argv[1])"
    dist = source.parent / "dist"
    run(sys.executable, "-c", hook, dist, cwd=source)
    (found,) = dist.iterdir()
    return found


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    pip("wheel", "--no-build-isolation", "-w", folder / "dist", unpacked)
    (found,) = (folder / "dist").iterdir()
    return found


@pytest.mark.slow
def test_source_distribution_is_the_checkout(source, sdist):
    name = f"keras_vae-{metadata('version')}"
    assert sdist.name == f"{name}.tar.gz"
    with tarfile.open(sdist) as archive:
        found = {m.name for m in archive.getmembers() if m.isfile()}
    found = {path.removeprefix(f"{name}/") for path in found}
    written = {p for p in found if p == "PKG-INFO" or ".egg-info/" in p}
    expected = {
        path.relative_to(source).as_posix()
        for folder in FOLDERS
        for path in (source / folder).rglob("*")
        if path.is_file()
    }
    expected -= {"docs/_build/page.html", "recipes/__pycache__/a.pyc"}
    assert found - written == expected | set(FILES)


@pytest.mark.slow
def test_wheel_is_the_package_alone(source, wheel):
    name = f"keras_vae-{metadata('version')}"
    assert wheel.name == f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        found = set(archive.namelist())
    written = {path for path in found if path.startswith(f"{name}.dist-info/")}
    assert any(path.endswith("LICENSE") for path in written)
    assert found - written == {
        path.relative_to(source).as_posix()
        for path in (source / "keras_vae").rglob("*")
        if path.is_file()
    }
    assert "keras_vae/py.typed" in found


@pytest.mark.slow
def test_installed_wheel_trains_and_exports(wheel, tmp_path):
    site = tmp_path / "site"
    pip("install", "--target", site, wheel)
    assert {p.name.split("-")[0] for p in site.iterdir()} == {"keras_vae"}
    # -P and the folder: neither the checkout nor an editable install of it.
    output = run(
        *(sys.executable, "-P", "-c", PROGRAM, tmp_path / "served"),
        cwd=tmp_path,
        env={"PYTHONPATH": str(site), "TF_CPP_MIN_LOG_LEVEL": "2"},
    ).splitlines()
    assert pathlib.Path(output[0]) == site / "keras_vae" / "__init__.py"
    assert output[1] == metadata("version")
    assert set(output[2:-1]) == {
        module.name
        for module in pkgutil.walk_packages(keras_vae.__path__, "keras_vae.")
    }
    assert {"serving_default", "sample"} < set(output[-1].split())
