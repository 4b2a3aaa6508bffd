"""What the source must not say."""

import ast
import functools
import pathlib

import keras

import keras_vae

ROOT = pathlib.Path(__file__).parents[2]
OURS = ("keras_vae/", "recipes/")
FORBIDDEN = {
    *("pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib"),
    *("marshal", "shelve", "jsonpickle"),
}


@functools.cache
def trees():
    """The syntax of all source files, by name."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text())
        for folder in ("keras_vae", "recipes", "benchmarks", "tests", "docs")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def nodes(*kinds):
    for file, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, kinds):
                yield file, node


def keyword(call, name):
    values = [ast.unparse(k.value) for k in call.keywords if k.arg == name]
    return values[0] if values else None


def called(call):
    return ast.unparse(call.func).rpartition(".")[2]


def test_nothing_is_unpickled():
    for file, node in nodes(ast.Import, ast.ImportFrom):
        modules = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        packages = {module.split(".")[0] for module in modules}
        assert not packages & FORBIDDEN, (file, ast.unparse(node))
    for file, call in nodes(ast.Call):
        # A test makes a pickle, to see it refused.
        if file != "tests/security/test_npz.py" or called(call) != "npy":
            allowed = keyword(call, "allow_pickle")
            assert allowed in (None, "False"), (file, ast.unparse(call))


def test_models_are_loaded_in_safe_mode():
    for file, call in nodes(ast.Call):
        mode = keyword(call, "safe_mode")
        assert mode in (None, "True"), (file, ast.unparse(call))
        assert called(call) != "enable_unsafe_deserialization", file
        if file.startswith(OURS) and called(call) == "load_model":
            assert mode == "True", (file, ast.unparse(call))


def test_no_text_becomes_code():
    for file, call in nodes(ast.Call):
        if file.startswith(OURS):
            name = ast.unparse(call.func)
            assert name not in ("eval", "exec", "__import__", "os.system"), file
            assert not name.startswith(("importlib.", "pydoc.")), file
            assert keyword(call, "shell") in (None, "False"), file


def test_what_a_keras_file_may_name_of_ours_is_keras_like():
    """A registered function or class is what a config can call by name."""
    registered = {
        name: value
        for name, value in keras.saving.get_custom_objects().items()
        if name.startswith("keras_vae>")
    }
    assert len(registered) > 50
    kinds = (
        keras.layers.Layer,
        keras.metrics.Metric,
        keras.initializers.Initializer,
        keras.regularizers.Regularizer,
        keras.optimizers.schedules.LearningRateSchedule,
    )
    for name, value in registered.items():
        assert isinstance(value, type), name
        assert issubclass(value, kinds) or value.__module__.startswith(
            "keras_vae.schedules"
        ), name
    assert keras_vae.__name__ == "keras_vae"
