"""Linear VAEs against what is known exactly of them.

    python -m recipes.analytic_gaussian

trains a VAE with linear networks and a normal likelihood of one learnt scale on
8x8 handwritten digits. Its best possible ELBO is the log-likelihood of
probabilistic PCA (Tipping, Bishop, 1999), which is known in closed form: the
ELBO of the training images ends within 0.5 nats of it. Two VAEs in one
dimension follow, whose every weight is known. `docs/analytic.md` derives it
all. About a minute on two cores.
"""

import dataclasses
from typing import Literal

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import keras_vae
from keras_vae import evaluation
from recipes import harness
from recipes import optimizers

RECIPE = "analytic_gaussian"
SMOKE = {"epochs": 2, "steps": 100, "passes": 10}

# The data in one dimension, and the scales of the two decoders over its own.
MEAN, STD = 3.0, 2.0
SCALES = {"half": 0.5, "small": 0.05}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        latent_dim: Number of latent units.
        posterior: Both contain the exact posterior of some optimal decoder.
        num_samples: Samples of z for each example, against noise.
        learning_rate: At the beginning; it falls to 0 along a cosine.
        passes: Evaluations of the model with the exact parameters.
        steps: Training steps in one dimension.
    """

    epochs: int = 100
    batch_size: int = 65
    latent_dim: int = 10
    posterior: Literal["full_covariance_normal", "diagonal_normal"] = (
        "full_covariance_normal"
    )
    num_samples: int = 4
    learning_rate: float = 0.02
    passes: int = 1000
    steps: int = 6000


# === Many dimensions: probabilistic PCA ===


def linear_vae(event_shape, latent_dim, scale="learned", **kwargs):
    """A VAE whose networks are one linear layer each.

    Args:
        event_shape: shape of one example.
        latent_dim: int.
        scale: of the normal likelihood.
        **kwargs: of `keras_vae.VAE`.
    """
    encoder = keras.Sequential(
        [keras.Input(event_shape), keras.layers.Flatten()], name="encoder"
    )
    decoder = keras.Sequential(
        [
            keras.Input((latent_dim,)),
            keras.layers.Dense(int(np.prod(event_shape)), name="linear"),
            keras.layers.Reshape(event_shape),
        ],
        name="decoder",
    )
    return keras_vae.VAE(
        encoder,
        decoder,
        latent_dim,
        likelihood=keras_vae.likelihoods.Normal(scale),
        **kwargs,
    )


def set_exact(model, pca):
    """Gives a linear VAE with full covariance the optimal parameters.

    Args:
        model: built VAE of `linear_vae`.
        pca: fitted `keras_vae.evaluation.ProbabilisticPCA`.
    """
    kernel, bias, covariance = pca.posterior()
    factor = np.linalg.cholesky(covariance)
    np.fill_diagonal(factor, np.log(np.diagonal(factor)))
    raw = tfp.math.fill_triangular_inverse(factor).numpy()
    # The covariance is the same for every x: no weight but its bias.
    model.posterior_layer.head.set_weights(
        [
            np.hstack([kernel, np.zeros((len(kernel), len(raw)))]),
            np.concatenate([bias, raw]),
        ]
    )
    model.decoder.get_layer("linear").set_weights([pca.weights.T, pca.mean])
    model.likelihood.log_scale.assign(0.5 * np.log(pca.noise_variance))


def one_pass_variance(pca, x):
    """Variance of one draw of each example's ELBO at the exact posterior.

    The draw's error is m' e - e' A e with e ~ N(0, S): m and S are mean and
    covariance of the posterior, A = W' W / (2 noise_variance).

    Args:
        pca: fitted `keras_vae.evaluation.ProbabilisticPCA`.
        x: array (n, ...).

    Returns:
        Array (n,).
    """
    kernel, bias, covariance = pca.posterior()
    mean = x.reshape(len(x), -1) @ kernel + bias
    linear = np.sum((mean @ covariance) * mean, axis=1)
    quadratic = pca.weights.T @ pca.weights / (2 * pca.noise_variance)
    product = quadratic @ covariance
    return linear + 2 * np.trace(product @ product)


def evaluate_exact(pca, x, passes, seed=0):
    """neg_elbo of the model with exact parameters, and its standard error.

    Args:
        pca: fitted `keras_vae.evaluation.ProbabilisticPCA`.
        x: float32 array (n, *event_shape).
        passes: int, independent evaluations of all of x.
        seed: int.
    """
    model = linear_vae(
        x.shape[1:],
        pca.latent_dim,
        posterior="full_covariance_normal",
        seed=seed,
    )
    model.build((None, *x.shape[1:]))
    set_exact(model, pca)
    model.compile()
    # Noise differs between the steps of one evaluation.
    repeated = tf.data.Dataset.from_tensors(x).repeat(passes)
    logs = model.evaluate(repeated, verbose=0, return_dict=True)
    variance = np.mean(one_pass_variance(pca, x)) / (len(x) * passes)
    return logs["neg_elbo"], float(np.sqrt(variance))


# === One dimension ===


def normal_data(num=256, seed=0):
    """Array (num, 1) of mean MEAN and standard deviation STD, exactly.

    The ELBO of a linear VAE depends on the data through these two alone.
    """
    x = np.random.default_rng(seed).standard_normal((num, 1))
    x = (x - x.mean()) / x.std()
    return (MEAN + STD * x).astype("float32")


def train_line(scale, steps, seed=0):
    """A VAE of one unit, trained on `normal_data`.

    Args:
        scale: float, standard deviation of the decoder's likelihood.
        steps: int.
        seed: int.
    """
    model = linear_vae((1,), 1, scale, num_samples=4, seed=seed)
    # Long memories: the slope is a valley, `scale` sets how narrow.
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(0.1, steps),
            beta_1=0.97,
            beta_2=0.99,
        ),
        steps_per_execution=100,
    )
    x = normal_data(seed=seed)
    model.fit(tf.data.Dataset.from_tensors(x).repeat(steps), verbose=0)
    return model


def learnt_line(model):
    """Weights of a VAE of one unit, by name.

    z and -z are equally good: the decoder's slope is taken as positive.
    """
    slope, bias = model.decoder.get_layer("linear").get_weights()
    kernel, constant = model.posterior_layer.head.get_weights()
    variance = model.posterior(normal_data()).variance()
    sign = np.sign(slope[0, 0])
    return {
        "decoder_slope": float(sign * slope[0, 0]),
        "decoder_bias": float(bias[0]),
        "encoder_slope": float(sign * kernel[0, 0]),
        "encoder_bias": float(sign * constant[0]),
        "posterior_variance": float(np.mean(variance)),
    }


def exact_line(scale):
    """The optimal values of `learnt_line`."""
    slope = float(np.sqrt(STD**2 - scale**2))
    return {
        "decoder_slope": slope,
        "decoder_bias": MEAN,
        "encoder_slope": slope / STD**2,
        "encoder_bias": -MEAN * slope / STD**2,
        "posterior_variance": scale**2 / STD**2,
    }


# === Report ===


def plot(run, data_covariance, model, exact_elbo, lines):
    """Curve, spectrum and lines in one figure."""
    from matplotlib.figure import Figure

    figure = Figure((13.0, 4.0), layout="constrained")
    curve, spectrum, line = figure.subplots(1, 3)
    elbo = -np.array(run.history["neg_elbo"])
    # With few epochs a curve is points, not a line.
    marker = "o" if len(elbo) < 20 else None
    curve.plot(
        np.arange(1, len(elbo) + 1), elbo, marker=marker, label="ELBO, learnt"
    )
    curve.axhline(exact_elbo, color="black", ls="--", label="log p(x), exact")
    curve.set(
        title="Training images",
        xlabel="epoch",
        ylabel="nats",
        ylim=(exact_elbo - 30, exact_elbo + 3),
    )
    weights, _ = model.decoder.get_layer("linear").get_weights()
    noise = np.exp(2 * model.likelihood.log_scale.numpy())
    learnt = np.linalg.eigvalsh(weights.T @ weights)[::-1] + noise
    exact = np.linalg.eigvalsh(data_covariance)[::-1]
    num = 3 * model.latent_dim
    spectrum.semilogy(learnt[:num], "o", ms=4, label="model, learnt")
    spectrum.semilogy(exact[:num], "k_", label="data")
    spectrum.set(title="Eigenvalues of the covariance", xlabel="number")
    x = np.linspace(MEAN - 3 * STD, MEAN + 3 * STD, 100)
    line.plot(x, (x - MEAN) / STD, "k--", label="(x - mean) / std")
    for name, (learnt, exact) in lines.items():
        for values, style in ((exact, "-"), (learnt, ":")):
            line.plot(
                x,
                values["encoder_slope"] * x + values["encoder_bias"],
                style,
                lw=3 if style == ":" else 1,
                label=f"s = {SCALES[name]} std, "
                + ("learnt" if style == ":" else "exact"),
            )
    line.set(title="Mean of q(z|x), one dimension", xlabel="x", ylabel="z")
    for axes in (curve, spectrum, line):
        axes.legend()
    run.save_figure("analytic_gaussian", figure)


def train(config):
    with harness.Run(RECIPE, config) as run:
        data = run.load()
        epoch = data.train(0).take(data.steps_per_epoch)
        x = np.concatenate(list(epoch.as_numpy_iterator()))
        pca = evaluation.ProbabilisticPCA(config.latent_dim).fit(x)
        with run.strategy.scope():
            model = linear_vae(
                data.event_shape,
                config.latent_dim,
                posterior=config.posterior,
                num_samples=config.num_samples,
                seed=config.seed,
            )
            adam = optimizers.adam(config.learning_rate, config.epochs, data)
            run.compile(model, adam, data)
        best = run.fit(model, data, monitor="neg_elbo")
        if best is None:
            return
        lines = {
            name: (
                learnt_line(train_line(ratio * STD, config.steps, config.seed)),
                exact_line(ratio * STD),
            )
            for name, ratio in SCALES.items()
        }
        few = data.x_test[:50]
        neg_elbo, error = evaluate_exact(pca, few, config.passes, config.seed)
        numbers = {
            "train_elbo": float(np.mean(best.elbo(x, num_samples=100))),
            "test_elbo": float(
                np.mean(best.elbo(data.x_test, num_samples=100))
            ),
            "exact_model_neg_elbo": neg_elbo,
        }
        exact = {
            "train_elbo": float(np.mean(pca.log_likelihood(x))),
            "test_elbo": float(np.mean(pca.log_likelihood(data.x_test))),
            "exact_model_neg_elbo": -float(np.mean(pca.log_likelihood(few))),
        }
        for name, (learnt, best_possible) in lines.items():
            for key in learnt:
                numbers[f"{name}_{key}"] = learnt[key]
                exact[f"{name}_{key}"] = best_possible[key]
        print(f"\n{'':28}{'learnt':>10}{'exact':>10}")
        for name, value in numbers.items():
            print(f"{name:28}{value:10.4f}{exact[name]:10.4f}")
        numbers["exact_model_standard_error"] = error
        run.draw(best, data)
        covariance = np.cov(x.reshape(len(x), -1).T, bias=True)
        plot(run, covariance, best, exact["train_elbo"], lines)
        run.finish(
            best,
            numbers,
            paper=exact,
            note="Beside ours: exact values, not those of a paper.",
            beside="exact",
        )


def main(argv=None):
    harness.command_line(RECIPE, train, Config, smoke=SMOKE, argv=argv)


if __name__ == "__main__":
    main()
