"""Mixtures of normals by gradients, against EM and against Bayes.

    python -m recipes.gaussian_mixture

fits a mixture to points in the plane and one to 8x8 handwritten digits reduced
to 10 principal components, both from the same start as scikit-learn's EM, and
compares the log-likelihoods: they differ by less than 0.02 and 0.5 nats. Two
known components follow, whose encoder is the best classifier there is.
`docs/analytic.md` has the mathematics. Under a minute on two cores.
"""

import dataclasses
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

import keras_vae
from recipes import harness

RECIPE = "gaussian_mixture"
SMOKE = {"epochs": 2, "steps": 20}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        num_components: Of the mixture of images.
        num_dimensions: Principal components of the images that it models.
        covariance_type: Of both mixtures, as in scikit-learn.
        variance_floor: Least variance of both, scikit-learn's reg_covar.
        learning_rate: At the beginning; it falls to 0 along a cosine.
        steps: Training steps in the plane.
    """

    epochs: int = 60
    batch_size: int = 126
    num_components: int = 10
    num_dimensions: int = 10
    covariance_type: Literal["full", "tied", "diag", "spherical"] = "full"
    variance_floor: float = 1e-6
    learning_rate: float = 0.03
    steps: int = 300


def optimizer(config, steps):
    """Adam with a learning rate that falls to 0 in so many steps."""
    return keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(config.learning_rate, steps)
    )


def points_in_plane(num=1000, seed=0):
    """Array (num, 2): three overlapping clusters of different shapes."""
    rng = np.random.default_rng(seed)
    means = np.array([[-2.0, 0.0], [2.0, 1.0], [0.0, -3.0]])
    shapes = np.array(
        [
            [[0.5, 0.0], [0.6, 0.8]],
            [[1.2, 0.0], [-0.5, 0.4]],
            [[0.9, 0.0], [0.0, 0.9]],
        ]
    )
    which = rng.choice(3, num, p=[0.3, 0.5, 0.2])
    noise = rng.standard_normal((num, 2))
    x = means[which] + np.einsum("nij,nj->ni", shapes[which], noise)
    return x.astype("float32")


def expectation_maximization(model, x, max_iter=2000):
    """Scikit-learn's mixture, run to its end from the start of `model`.

    Args:
        model: `keras_vae.GaussianMixture`, as it is before training.
        x: array (n, dim).
        max_iter: int.
    """
    from sklearn import mixture

    start = model.parameters()
    covariances = start["covariances"].astype("float64")
    is_matrix = model.covariance_type in ("full", "tied")
    em = mixture.GaussianMixture(
        model.num_components,
        covariance_type=model.covariance_type,
        reg_covar=model.variance_floor,
        tol=1e-6,
        max_iter=max_iter,
        means_init=start["means"],
        weights_init=start["weights"] / start["weights"].sum(dtype="float64"),
        precisions_init=(
            np.linalg.inv(covariances) if is_matrix else 1 / covariances
        ),
    )
    return em.fit(x)


def bayes_error(distance=2.0, num=100_000, seed=0):
    """Error rates of the encoder of two known components: counted, exact.

    With equal weights and covariances the best classifier errs with
    probability Phi(-d / 2), where d is the distance of the means.

    Args:
        distance: float, d, in standard deviations.
        num: int, examples to count errors of.
        seed: int.
    """
    from scipy import stats

    rng = np.random.default_rng(seed)
    shape = np.array([[1.0, 0.0], [0.5, 2.0]])
    means = np.array([[0.0, 0.0], distance * shape @ [0.6, 0.8]])
    model = keras_vae.GaussianMixture(
        2,
        2,
        "tied",
        means=means,
        covariances=shape @ shape.T,
        trainable=False,
    )
    which = rng.integers(0, 2, num)
    x = means[which] + rng.standard_normal((num, 2)) @ shape.T
    wrong = np.mean(model.encode(x.astype("float32")) != which)
    return float(wrong), float(stats.norm.cdf(-distance / 2))


def train_plane(config, points):
    """Mixture of three components of `points`, and EM from the same start."""
    model = keras_vae.GaussianMixture(
        3,
        2,
        config.covariance_type,
        variance_floor=config.variance_floor,
        seed=config.seed,
    )
    model.initialize(points, seed=config.seed)
    em = expectation_maximization(model, points)
    model.compile(optimizer(config, config.steps))
    # All points in each step: the gradient has no noise.
    repeated = tf.data.Dataset.from_tensors(points).repeat(config.steps)
    model.fit(repeated, verbose=0)
    return model, em


def reduce_images(config, data):
    """Principal components of the images, as data, array and transform.

    Args:
        config: `Config`.
        data: `harness.Data` of images.
    """
    from sklearn.decomposition import PCA

    epoch = data.train(0).take(data.steps_per_epoch)
    images = np.concatenate(list(epoch.as_numpy_iterator()))
    pca = PCA(config.num_dimensions, random_state=config.seed)
    pca.fit(images.reshape(len(images), -1).astype("float64"))
    axes = pca.components_.T.astype("float32")
    mean = pca.mean_.astype("float32")

    def project(x):
        return (tf.reshape(x, [-1, len(mean)]) - mean) @ axes

    reduced = dataclasses.replace(
        data,
        train=lambda epoch: data.train(epoch).map(project),
        validation=data.validation and data.validation.map(project),
        x_test=project(data.x_test).numpy(),
    )
    return reduced, project(images).numpy(), pca


def plot_plane(points, model, em):
    """Responsibilities as colours, densities as contours."""
    from matplotlib.figure import Figure

    figure = Figure((6.0, 5.0), layout="constrained")
    axes = figure.add_subplot(
        title="p(k|x) as colour; log p(x): learnt black, EM dashed",
        xlabel="x[0]",
        ylabel="x[1]",
    )
    axes.scatter(*points.T, s=5, c=model.posterior(points).numpy())
    low, high = points.min(0) - 0.5, points.max(0) + 0.5
    grid = np.meshgrid(*np.linspace(low, high, 120).T)
    flat = np.stack(grid, -1).reshape(-1, 2)
    for density, color, style in (
        (model.log_prob(flat).numpy(), "black", "solid"),
        (em.score_samples(flat), "orange", "dashed"),
    ):
        axes.contour(
            *grid,
            density.reshape(grid[0].shape),
            [-10.0, -8.0, -6.0, -5.0, -4.0, -3.0, -2.0],
            colors=color,
            linestyles=style,
            linewidths=1,
        )
    return figure


def plot_images(model, pca, data, num=8):
    """A row for each component: its mean, then images it explains best."""
    from matplotlib.figure import Figure

    parameters = model.parameters()
    components = len(parameters["weights"])
    figure = Figure((num + 1.0, components), layout="constrained")
    figure.suptitle("Mean of each component, its weight, test images")
    images = data.x_test.reshape(len(data.x_test), -1)
    posterior = model.posterior(pca.transform(images).astype("float32")).numpy()
    means = pca.inverse_transform(parameters["means"])
    panels = figure.subplots(components, num + 1, squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    for k, row in enumerate(panels):
        best = np.argsort(-posterior[:, k])[:num]
        for panel, image in zip(row, [means[k], *images[best]], strict=True):
            panel.imshow(image.reshape(data.event_shape).squeeze(), cmap="gray")
        row[0].set_title(f"{parameters['weights'][k]:.2f}", fontsize=9)
    return figure


def train(config):
    with harness.Run(RECIPE, config) as run:
        images = run.load()
        data, x, pca = reduce_images(config, images)
        with run.strategy.scope():
            model = keras_vae.GaussianMixture(
                config.num_components,
                config.num_dimensions,
                config.covariance_type,
                variance_floor=config.variance_floor,
                seed=config.seed,
            )
            model.initialize(x, seed=config.seed)
            em = expectation_maximization(model, x)
            steps = config.epochs * data.steps_per_epoch
            run.compile(model, optimizer(config, steps), data)
        best = run.fit(model, data, monitor="neg_elbo")
        if best is None:
            return
        points = points_in_plane(seed=config.seed)
        plane, plane_em = train_plane(config, points)
        error, exact_error = bayes_error(seed=config.seed)
        numbers, reference = {"bayes_error": error}, {}
        reference["bayes_error"] = exact_error
        for name, ours, theirs, rows in (
            ("plane_log_prob", plane, plane_em, points),
            ("train_log_prob", best, em, x),
            ("test_log_prob", best, em, data.x_test),
        ):
            numbers[name] = float(np.mean(ours.log_prob(rows)))
            reference[name] = float(theirs.score(rows))
        print(f"\n{'':16}{'learnt':>10}{'reference':>11}{'difference':>12}")
        for name, value in numbers.items():
            there = reference[name]
            print(f"{name:16}{value:10.4f}{there:11.4f}{value - there:12.4f}")
        run.save_figure("plane", plot_plane(points, plane, plane_em))
        run.save_figure("images", plot_images(best, pca, images))
        run.save_figure("loss_curves", run.draw_history())
        run.finish(
            best,
            numbers,
            paper=reference,
            note="Beside ours: scikit-learn's EM, and the exact Bayes error.",
            beside="reference",
        )


def main(argv=None):
    harness.command_line(RECIPE, train, Config, smoke=SMOKE, argv=argv)


if __name__ == "__main__":
    main()
