"""What single benchmarks measure, on next to nothing."""

import dataclasses
import json

import numpy as np
import pytest

from benchmarks import data_loading
from benchmarks import diffusion_sampling
from benchmarks import import_time
from benchmarks import log_likelihood
from benchmarks import matrix_products
from benchmarks import report
from benchmarks import resident_memory
from benchmarks import scaling
from benchmarks import turns
from benchmarks.subjects.diffusion import DiffusionModel


def test_goals():
    high = report.goal("a", 2.0, at_least=1.5)
    low = report.goal("b", 2.0, at_most=1.5)
    assert report.is_met(high) and not report.is_met(low)
    assert report.describe(high) == "a: 2 (at least 1.5)"
    assert report.describe(low) == "b: 2 (at most 1.5, missed)"


def test_the_load_is_that_before(tmp_path, monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Config:
        out: str = str(tmp_path / "result.json")

    loads = [(0.25, 0.0, 0.0)]
    monkeypatch.setattr("os.getloadavg", lambda: loads[-1])
    monkeypatch.setattr("sys.argv", ["benchmark"])
    monkeypatch.setattr(report, "_before", {})
    config = report.settings(Config, {}, "A benchmark.")
    loads.append((7.0, 0.0, 0.0))
    assert report.finish(config, [{"a": 1}], config.out)
    assert json.loads((tmp_path / "result.json").read_text())["load"] == 0.25


def test_work_of_a_turn():
    done = []

    def contender(amount):
        done.append(amount)
        return 0.2 * amount, 0.0

    assert turns.amount_of(contender, seconds=3.0) == 15
    assert done == [1, 1]
    assert turns.amount_of(contender, seconds=0.01) == 1


def test_work_may_differ_between_contenders():
    contenders = {"a": lambda n: (2.0, 0.5), "b": lambda n: (1.0, 0.5)}
    rates, _ = turns.take_turns(contenders, 3, 1, {"a": 10, "b": 20})
    assert rates == {"a": [5.0] * 3, "b": [20.0] * 3}
    assert turns.ratio(rates, "a", "b") == 0.25


def test_products_of_a_step():
    """Of two layers: forward, both kernels, and one input."""
    products = matrix_products.shapes([(6, 5), (5, 4)], 3)
    assert sorted(products) == sorted(
        [(3, 6, 5), (3, 5, 4), (6, 3, 5), (5, 3, 4), (3, 4, 5)]
    )
    assert matrix_products.operations([(3, 6, 5)]) == 180


def test_matrix_products(tmp_path):
    out = str(tmp_path / "result.json")
    matrix_products.main(
        matrix_products.Config(**matrix_products.SMOKE, out=out)
    )
    result = json.loads((tmp_path / "result.json").read_text())
    assert [row["contender"] for row in result["table"]] == [
        matrix_products.FIT,
        matrix_products.OWN,
        matrix_products.SQUARE,
    ]
    assert result["goals"][0]["value"] > 0


@pytest.mark.parametrize("steps", [4, 2])
def test_naive_sampler_is_the_model_s(steps):
    """DDIM draws nothing but x_T: the same from the same x_T."""
    model = DiffusionModel(
        event_shape=(4, 4, 1),
        filters=8,
        multipliers=(1,),
        attention=(),
        num_steps=4,
    ).model()
    naive = diffusion_sampling.NaiveSampler(model, compiled=True)
    # The last kernel of a network is zero at the start.
    rng = np.random.default_rng(0)
    model.network.set_weights(
        [0.1 * rng.normal(size=w.shape) for w in model.network.get_weights()]
    )
    x = naive(200, "ddim", steps, 0).numpy()
    expected = model.sample(200, 0, steps, "ddim").numpy()
    assert x.shape == expected.shape
    assert x.mean() == pytest.approx(expected.mean(), abs=0.02)
    assert x.std() == pytest.approx(expected.std(), abs=0.02)
    x = naive(200, "ancestral", steps, 0).numpy()
    expected = model.sample(200, 0, steps).numpy()
    assert x.mean() == pytest.approx(expected.mean(), abs=0.02)
    assert x.std() == pytest.approx(expected.std(), abs=0.02)


def test_diffusion_sampling(tmp_path, monkeypatch):
    monkeypatch.setattr(diffusion_sampling, "METHODS", ("ddim",))
    out = str(tmp_path / "result.json")
    config = diffusion_sampling.Config(**diffusion_sampling.SMOKE, out=out)
    assert diffusion_sampling.main(config)
    rows = json.loads((tmp_path / "result.json").read_text())["table"]
    assert [row["method"] for row in rows] == 3 * ["ddim"]
    assert all(row["steps/s"] > 0 for row in rows)


def test_log_likelihood(tmp_path):
    out = str(tmp_path / "result.json")
    config = log_likelihood.Config(**log_likelihood.SMOKE, out=out)
    log_likelihood.main(config)
    (row, *_) = json.loads((tmp_path / "result.json").read_text())["table"]
    assert row["contender"] == "log_likelihood"
    # 784 pixels of untrained weights, nearly log 2 each.
    assert float(row["loss"]) == pytest.approx(784 * np.log(2.0), rel=0.05)


def test_both_pipelines_yield_the_same():
    x = np.random.default_rng(0).integers(0, 2, (50, 2, 2, 1), "uint8")
    batches = data_loading.from_slices(x, 10)
    rows = np.concatenate(list(batches.as_numpy_iterator()))
    assert rows.dtype == np.float32
    assert sorted(rows.reshape(50, -1).tolist()) == sorted(
        x.reshape(50, -1).tolist()
    )
    _, mean = data_loading.drained(batches)(1)
    assert mean == pytest.approx(x.mean(), rel=1e-5)


def test_import_is_of_the_package_alone():
    base, own = import_time.fresh()
    assert base > 0.1 > own


def test_slope_is_bytes_per_step():
    found = [(step, 5e8 + 300 * step) for step in range(1000, 5001, 100)]
    assert resident_memory.slope(found) == pytest.approx(300)


def test_resident_memory():
    config = resident_memory.Config(
        first=4, last=8, every=2, batch_size=2, units=(4, 4)
    )
    found, peak = resident_memory.readings(config, resident_memory.LOOP)
    assert [step for step, _ in found] == [4, 6, 8]
    assert all(2**20 < bytes_ <= peak for _, bytes_ in found)


def test_scaling(tmp_path, monkeypatch):
    measured = {"batch": lambda n: 1e-3 * n**2, "samples": lambda n: 0.1}
    monkeypatch.setattr(scaling, "measurements", lambda config: measured)
    out = tmp_path / "result.json"
    assert scaling.main(scaling.Config(**scaling.SMOKE, out=str(out)))
    result = json.loads(out.read_text())
    batch, samples = result["table"]
    assert (batch["from"], batch["ms"], batch["to"]) == (2, "4", 4)
    assert batch["last exponent"] == "2.00"
    assert float(samples["last exponent"]) == pytest.approx(0.0)
    assert (tmp_path / result["figure"]).read_bytes().startswith(b"\x89PNG")


def test_a_size_is_measured():
    config = scaling.Config(**scaling.SMOKE)
    seconds = scaling.step_seconds(
        config,
        "vq_vae",
        event_shape=(8, 8, 1),
        filters=4,
        num_embeddings=4,
        batch_size=2,
    )
    assert seconds > 0
