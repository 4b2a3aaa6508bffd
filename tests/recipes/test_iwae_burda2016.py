"""The recipe from its command line, and its schedules."""

import json

import numpy as np
import pytest

from recipes import iwae_burda2016


def test_smoke_with_five_samples_and_averaged_weights(tmp_path):
    iwae_burda2016.main(
        [
            *("--smoke", "--num-samples", "5", "--weight-average", "0.9"),
            *("--out", str(tmp_path / "run")),
            *("--saved-models", str(tmp_path / "saved_models")),
        ]
    )
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["numbers"]["num_test"] == 50
    assert metrics["numbers"]["test_nll"] < 64 * np.log(2)
    assert metrics["paper"] == {}
    header = (tmp_path / "run" / "history.csv").read_text().split("\n")[0]
    assert "val_neg_iw_bound" in header.split(",")


class Data:
    event_shape = (28, 28, 1)
    steps_per_epoch = 1000
    mean = np.full((28, 28, 1), 0.25)
    mean[0] = 0.0


def test_the_network_is_the_papers():
    model = iwae_burda2016.build(iwae_burda2016.Config(), Data)
    model.build((None, 28, 28, 1))
    units = [layer.units for layer in model.encoder.layers[2:]]
    assert units == [200, 200]
    assert model.latent_dim == 50
    # Weights and biases: x-200-200-(50, 50), 50-200-200-x.
    widths = [(784, 200), (200, 200), (200, 100), (50, 200), (200, 200)]
    expected = sum((i + 1) * o for i, o in [*widths, (200, 784)])
    trainable = sum(w.value.shape.num_elements() for w in model.variables)
    assert trainable - 1 == expected  # and the step
    empty = model.decode(np.zeros((1, 50), "float32"))[0]
    assert float(empty[0, 0, 0]) == pytest.approx(0.001, rel=1e-3)
    assert float(empty[9, 9, 0]) == pytest.approx(0.25, rel=1e-3)
    assert model.objective == "elbo"


def test_more_samples_train_the_iwae_bound():
    config = iwae_burda2016.Config(num_samples=5)
    model = iwae_burda2016.build(config, Data)
    assert (model.objective, model.num_samples) == ("iwae", 5)


def test_stages_are_the_papers():
    paper = iwae_burda2016.PRESETS["paper"]
    config = iwae_burda2016.Config(**paper)
    rate = iwae_burda2016.learning_rate(config, Data)
    first = 0
    for stage in range(8):
        expected = 1e-3 * 10 ** (-stage / 7)
        last = first + 3**stage
        for epoch in (first, last):
            step = epoch * Data.steps_per_epoch + (epoch == first)
            assert float(rate(step)) == pytest.approx(expected), (stage, epoch)
        first = last
    assert first == config.epochs


def test_cosine_ends_at_zero():
    config = iwae_burda2016.Config(epochs=2, learning_rate=1.0)
    rate = iwae_burda2016.learning_rate(config, Data)
    values = [float(rate(step)) for step in (0, 1000, 2000)]
    np.testing.assert_allclose(values, [1.0, 0.5, 0.0], atol=1e-6)


def test_optimizer_settings():
    config = iwae_burda2016.Config(weight_average=0.99, adam_beta_1=0.8)
    optimizer = iwae_burda2016.optimizer(config, Data)
    assert optimizer.use_ema
    assert optimizer.ema_momentum == 0.99
    assert optimizer.beta_1 == 0.8
    assert optimizer.epsilon == 1e-4


def test_warm_up_with_several_samples_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        iwae_burda2016.main(
            [
                *("--smoke", "--num-samples", "2", "--warm-up", "3"),
                *("--out", str(tmp_path)),
            ]
        )
    assert "`beta` must be 1" in capsys.readouterr().err
