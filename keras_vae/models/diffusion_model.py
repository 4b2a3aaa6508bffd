import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from keras_vae import data_checks
from keras_vae import metrics
from keras_vae import random
from keras_vae import schedules
from keras_vae.arguments import positive_int
from keras_vae.arguments import positive_ints
from keras_vae.arguments import sample_count
from keras_vae.likelihoods.grid import validate_levels
from keras_vae.models import diffusion_sampling
from keras_vae.models import specs
from keras_vae.models.base import TermModel
from keras_vae.models.batching import BatchFunctions
from keras_vae.models.compiled_functions import CompiledFunctions
from keras_vae.models.diffusion_likelihood import discretized_normal_log_prob
from keras_vae.models.diffusion_likelihood import normal_log_prob
from keras_vae.models.diffusion_process import PREDICTIONS
from keras_vae.models.diffusion_process import VARIANCES
from keras_vae.models.diffusion_process import DiffusionProcess
from keras_vae.models.diffusion_times import draw_times
from keras_vae.schedules.noise_schedule import NoiseSchedule
from keras_vae.typing import Array
from keras_vae.typing import ExportSignature
from keras_vae.typing import Network
from keras_vae.typing import Scalar
from keras_vae.typing import Seed
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike

_CHOICES = {
    "prediction": PREDICTIONS,
    "objective": ("simple", "bound"),
    "variance": VARIANCES,
    "likelihood": ("discretized", "normal"),
}

# Seed, levels, and what to do at each of them.
_PLAN_SPECS = [
    tf.TensorSpec((2,), "int32"),
    tf.TensorSpec((None,), "int32"),
    tf.TensorSpec((None, 3), "float32"),
]


@keras.saving.register_keras_serializable(package="keras_vae")
class DiffusionModel(TermModel):
    """Denoising diffusion: T latents of the data's size, a fixed encoder.

    q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I),  t = 1..T
    p(x_{t-1} | x_t) = N(mean of q(x_{t-1} | x_t, x_hat(x_t, t)), variance_t I)
    neg_elbo = prior_loss + diffusion_loss + reconstruction_loss
        prior_loss          = KL(q(x_T | x_0) || N(0, I))
        diffusion_loss      = sum_{t>1} KL(q(x_{t-1} | x_t, x_0) || p)
        reconstruction_loss = -log p(x_0 | x_1)
    simple_loss = ||noise_hat - noise||**2 at one level, uniform in 1..T

    The network sees one level of each example in a training step, drawn
    uniformly from 1..T. Level 1 adds T times its nats to
    `reconstruction_loss`, others to `diffusion_loss`: estimates without bias,
    of which the former is 0 most of the time. Outside of training level 1 is
    always seen, beside one other: twice the work, and far less variance.
    `elbo_levels` sees all of them.

    Data in [0, 1] are scaled to [-1, 1], where the chain is. Averages of the
    weights, which improve samples, are the optimizer's `use_ema`.

    Args:
        network: Keras model or layer from [x_t (batch, *event), t/T (batch,)]
            to a prediction (batch, *event), such as `networks.unet`. What it
            does with t/T is up to it; half precision is too coarse for it.
        noise_schedule: `NoiseSchedule`, "linear", "cosine", or T betas.
        num_steps: int >= 1, T.
        event_shape: None, or shape of one example. None: that of the
            network's input, or of the first data.
        prediction: "noise", "x" or "v", what the network predicts; v is
            sqrt(alpha_bar_t) noise - sqrt(1 - alpha_bar_t) x.
        objective: "simple": `simple_loss` is minimised, the terms of the
            bound are logged; or "bound": the other way round.
        variance: "beta", or "posterior": that of q(x_{t-1} | x_t, x_0). At
            t = 1, where that is 0, both are the posterior's at t = 2, as in
            the program of Ho et al., or beta_1 for the likelihood "normal".
        likelihood: "discretized": N(x_hat, variance_1) in bins around the
            levels of the data; or "normal": its density, for data on no
            levels and of any range.
        num_levels: int >= 2, levels of the data: 256 for 8-bit images.
        clip: bool. True: x_hat is clipped to the range of the data, except in
            training and for the likelihood "normal".
        low_discrepancy: bool. True: the levels of a batch are spread evenly.
        **kwargs: `seed`, `name`, `dtype`.

    Call arguments:
        x: float tensor (batch, *event).

    Input shape:
        (batch, *event)

    Output shape:
        (batch, *event), x_hat at t = T / 10, from x_t with noise 0

    Raises:
        ValueError: if an argument is out of range, or the network gives
            another shape.

    Example:
    >>> network = keras_vae.networks.unet((8, 8, 1), filters=8)
    >>> model = keras_vae.DiffusionModel(network, num_steps=10, num_levels=17)
    >>> model.sample(3, seed=0).shape
    TensorShape([3, 8, 8, 1])
    >>> model.elbo_levels(np.zeros((2, 8, 8, 1)))["diffusion_loss"].shape
    (2, 9)

    Reference:
        Ho, Jain, Abbeel, 2020; Sohl-Dickstein et al., 2015; for v, Salimans,
        Ho, 2022, section 4.
    """

    config_attributes = {"event_shape": "given_event_shape"}

    def __init__(
        self,
        network: Network,
        noise_schedule: NoiseSchedule | str | ArrayLike = "linear",
        num_steps: int = 1000,
        event_shape: Sequence[int] | None = None,
        prediction: str = "noise",
        objective: str = "simple",
        variance: str = "beta",
        likelihood: str = "discretized",
        num_levels: int = 256,
        clip: bool = True,
        low_discrepancy: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.network = network
        self.noise_schedule = schedules.get_noise(noise_schedule)
        self.num_steps = positive_int("num_steps", num_steps)
        self.given_event_shape = event_shape
        self.prediction = prediction
        self.objective = objective
        self.variance = variance
        self.likelihood = likelihood
        self.num_levels = num_levels
        self.clip = clip
        self.low_discrepancy = low_discrepancy
        self._check_arguments()
        self._process = DiffusionProcess(
            self.noise_schedule.betas(num_steps),
            variance,
            # That of a density is nearer to the truth, 0.1 nats per dimension
            # for linear noise; bins are wider than either.
            "posterior" if likelihood == "discretized" else "beta",
        )
        bound = 1.0 if objective == "bound" else 0.0
        for name in ("prior_loss", "diffusion_loss", "reconstruction_loss"):
            self.add_term(name, weight=bound, elbo=True)
        self.add_term("simple_loss", weight=1.0 - bound)
        self._batches = BatchFunctions(self)
        self._functions = CompiledFunctions()
        self._event_shape: tuple[int, ...] | None = None
        event_shape = event_shape or _input_shape(network)
        if event_shape is not None:
            event_shape = positive_ints("event_shape", event_shape)
            self.build((None, *event_shape))

    def _check_arguments(self):
        if not isinstance(self.network, keras.layers.Layer):
            raise ValueError(
                "`network` must be a Keras model or layer. "
                f"Received: network={self.network!r}"
            )
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"`{name}` must be one of {list(choices)}. "
                    f"Received: {name}={getattr(self, name)!r}"
                )
        positive_int("num_levels", self.num_levels, at_least=2)

    def build(self, input_shape: Shape) -> None:
        event_shape = tuple(input_shape)[1:]
        if self._event_shape == event_shape:
            return
        if self._event_shape is not None:
            raise ValueError(
                f"The model is built for examples of {self._event_shape}. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        prediction = self.network([tf.zeros((1, *event_shape)), tf.ones(1)])
        if tuple(prediction.shape[1:]) != event_shape:
            raise ValueError(
                "The output of `network` must have the shape of an example, "
                f"{event_shape}. Received: output of shape {prediction.shape}"
            )
        self._event_shape = event_shape

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example; known once the model is built."""
        if self._event_shape is None:
            raise ValueError(
                f"{type(self).__name__} is not built: give `event_shape`, or "
                "call it on a batch. Received: built=False"
            )
        return self._event_shape

    def check_data(self, x: Any, y: Any = None) -> None:
        data_checks.check_no_target(self, y)
        data_checks.check_one_array(x)
        if self._event_shape not in (None, x.shape[1:]):
            raise ValueError(
                f"`x` must have shape (batch, *{self._event_shape}), as the "
                f"network. Received: x of shape {x.shape}"
            )
        data_checks.check_floats(x, "x")
        if self.likelihood == "discretized":
            validate_levels(x, self.num_levels, "x", "discretized normal")

    # === Chain ===

    def _predict(self, x_t, t, training=False):
        """The network's output: float32 tensor of the shape of x_t."""
        time = tf.cast(t, "float32") / self.num_steps
        prediction = self.network([x_t, time], training=training)
        return tf.cast(prediction, "float32")

    def _predicted_x(self, x_t, t):
        """x_hat of a chain of any kind, clipped where that is asked for."""
        x = self._process.predicted_x(
            self.prediction, self._predict(x_t, t), x_t, t
        )
        return tf.clip_by_value(x, -1.0, 1.0) if self._clips else x

    @property
    def _clips(self):
        return self.clip and self.likelihood == "discretized"

    def _to_chain(self, x):
        return 2.0 * tf.cast(x, "float32") - 1.0

    def _to_data(self, x):
        x = 0.5 * x + 0.5
        if self.likelihood == "discretized":
            x = tf.clip_by_value(x, 0.0, 1.0)
        return x

    # === Objective ===

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        x, noise = self._to_chain(x), random.current_noise()
        if training:
            terms = self._drawn_terms(x, noise)
        else:
            terms = self._evaluated_terms(x, noise)
        return {"prior_loss": self._process.prior_nats(x), **terms}

    def _drawn_terms(self, x, noise):
        """Estimates from one level of 1..T."""
        t = self._draw_times(x, noise, 1)
        kind, error = self._error(x, t, noise, training=True)
        first, scale = tf.equal(t, 1), float(self.num_steps)
        # Other levels would overflow there, and spoil the gradient.
        mask = tf.reshape(first, [-1] + [1] * len(self.event_shape))
        error_1 = tf.where(mask, error, 0.0)
        step = self._process.step_nats(kind, error, t)
        last = self._reconstruction_nats(x, kind, error_1)
        return {
            "diffusion_loss": scale * step,
            "reconstruction_loss": tf.where(first, scale * last, 0.0),
            "simple_loss": self._process.noise_error(kind, error, t),
        }

    def _evaluated_terms(self, x, noise):
        """Level 1, and an estimate from one level of 2..T."""
        process, rows = self._process, tf.shape(x)[0]
        one = tf.ones([rows], "int32")
        kind, error = self._error(x, one, noise)
        simple = process.noise_error(kind, error, one)
        terms = {
            "reconstruction_loss": self._reconstruction_nats(x, kind, error),
            "diffusion_loss": tf.zeros([rows]),
            "simple_loss": simple,
        }
        others = self.num_steps - 1.0
        if others:
            t = self._draw_times(x, noise, 2)
            kind, error = self._error(x, t, noise)
            step = process.step_nats(kind, error, t)
            terms["diffusion_loss"] = others * step
            simple += others * process.noise_error(kind, error, t)
            terms["simple_loss"] = simple / self.num_steps
        return terms

    def _draw_times(self, x, noise, first):
        return draw_times(
            noise,
            tf.shape(x)[0],
            first,
            self.num_steps,
            self.low_discrepancy,
        )

    def _error(self, x, t, noise, training=False):
        """What was predicted, and the error of it: tensor (batch, *event).

        A clipped prediction is one of x.
        """
        process, kind = self._process, self.prediction
        drawn = noise.normal(tf.unstack(tf.shape(x)))
        x_t = process.diffuse(x, drawn, t)
        error = self._predict(x_t, t, training)
        error -= process.target(kind, x, drawn, t)
        if training or not self._clips:
            return kind, error
        error *= process.at(process.error_scale(kind), t, x)
        return "x", tf.clip_by_value(error, -1.0 - x, 1.0 - x)

    def _reconstruction_nats(self, x, kind, error):
        """-log p(x_0 | x_1) of data in [0, 1], of an error at t = 1."""
        process = self._process
        mean = x + float(process.error_scale(kind)[1]) * error
        scale = math.sqrt(process.variance[1])
        if self.likelihood == "discretized":
            log_prob = discretized_normal_log_prob(
                x, mean, scale, self.num_levels
            )
        else:
            # The chain is twice as wide as the data.
            log_prob = normal_log_prob(x, mean, scale) + math.log(2.0)
        return -tf.reduce_sum(log_prob, axis=list(range(1, x.shape.rank)))

    # === Evaluation ===

    def elbo_levels(
        self,
        x: Array,
        num_samples: int = 1,
        batch_size: int = 100,
        seed: Seed = 0,
        verbose: int | str = "auto",
    ) -> dict[str, Array]:
        """The terms of the bound of each example, with one for every level.

        Args:
            x: array (n, *event_shape).
            num_samples: int >= 1, draws of x_t for each example and level.
            batch_size: int, examples at once.
            seed: int or pair of ints; the same seed gives the same numbers.
            verbose: 0, 1 or "auto": a progress bar on long runs.

        Returns:
            dict of float32 NumPy arrays, nats: "prior_loss" (n,),
            "diffusion_loss" (n, T - 1), the levels 2..T, and
            "reconstruction_loss" (n,). Their sum is -ELBO(x).

        Raises:
            ValueError: if the data cannot be modelled.
        """
        num_samples = positive_int("num_samples", num_samples)
        x = np.asarray(x)
        self._ensure_built(x)
        self.check_data(x)
        x = x.astype("float32")

        def levels(rows, index, num_samples, seed):
            seed = random.fold_in(seed, index)
            return self._levels(self._to_chain(rows), num_samples, seed)

        args = (tf.constant(num_samples), random.as_seed(seed))
        nats = self._batches.map("levels", levels, x, batch_size, args, verbose)
        return {
            "prior_loss": nats[:, 0],
            "diffusion_loss": nats[:, 2:],
            "reconstruction_loss": nats[:, 1],
        }

    def _levels(self, x, num_samples, seed):
        """Nats of prior and levels 1..T: (batch, T + 1)."""
        noise = random.Noise(seed, tf.shape(x)[0])
        rows = tf.shape(x)[0]

        def add_level(index, totals):
            # All samples of a level, then the next one.
            t = 1 + index // num_samples
            nats = self._level(x, t, noise.fold(index))
            row = tf.one_hot(t - 1, self.num_steps)[:, tf.newaxis]
            return index + 1, totals + row * nats

        _, totals = tf.while_loop(
            lambda index, totals: index < self.num_steps * num_samples,
            add_level,
            (0, tf.zeros([self.num_steps, rows])),
            shape_invariants=(
                tf.TensorShape([]),
                tf.TensorShape([self.num_steps, None]),
            ),
            parallel_iterations=1,
        )
        nats = tf.transpose(totals) / tf.cast(num_samples, "float32")
        prior = self._process.prior_nats(x)[:, tf.newaxis]
        return tf.concat([prior, nats], axis=1)

    def _level(self, x, t, noise):
        """Nats of level t, a scalar: (batch,)."""
        t = tf.fill([tf.shape(x)[0]], t)
        kind, error = self._error(x, t, noise)
        return tf.where(
            tf.equal(t, 1),
            self._reconstruction_nats(x, kind, error),
            self._process.step_nats(kind, error, t),
        )

    def elbo(
        self,
        x: Array,
        num_samples: int = 1,
        batch_size: int = 100,
        seed: Seed = 0,
        verbose: int | str = "auto",
    ) -> Array:
        """Evidence lower bound of each example, from all levels.

        Args:
            x, num_samples, batch_size, seed, verbose: as in `elbo_levels`.

        Returns:
            float32 NumPy array (n,), nats.
        """
        terms = self.elbo_levels(x, num_samples, batch_size, seed, verbose)
        return -(
            terms["prior_loss"]
            + terms["diffusion_loss"].sum(axis=1)
            + terms["reconstruction_loss"]
        )

    def bits_per_dim(
        self,
        x: Array,
        num_samples: int = 1,
        batch_size: int = 100,
        seed: Seed = 0,
        verbose: int | str = "auto",
    ) -> Array:
        """Bound on the code length of each example, per dimension.

        Args:
            x, num_samples, batch_size, seed, verbose: as in `elbo_levels`.

        Returns:
            float64 NumPy array (n,).

        Raises:
            ValueError: if the likelihood is a density.
        """
        if self.likelihood != "discretized":
            raise ValueError(
                "Bits per dimension exist for likelihood='discretized' only; "
                "report nats for a density. "
                f"Received: likelihood={self.likelihood!r}"
            )
        nats = -self.elbo(x, num_samples, batch_size, seed, verbose)
        bits = metrics.bits_per_dim(nats, event_shape=self.event_shape)
        return np.asarray(bits)

    def _ensure_built(self, x):
        if not self.built:
            self.build((None, *x.shape[1:]))

    # === Denoising ===

    def diffuse(
        self, x: TensorLike, t: TensorLike | int, seed: Seed = 0
    ) -> tf.Tensor:
        """x_t of data x, drawn from q(x_t | x), in the units of the chain.

        Args:
            x: array (batch, *event_shape).
            t: int, or ints (batch,), from 1 to T.
            seed: None, int or integer tensor (2,).

        Returns:
            float32 tensor (batch, *event_shape), about [-1, 1] at small t.
        """
        x = tf.convert_to_tensor(x)
        self._ensure_built(x)
        t = self._checked_time(t)
        noise = random.Noise(random.as_seed(seed))
        drawn = noise.normal(tf.unstack(tf.shape(x)))
        return self._process.diffuse(self._to_chain(x), drawn, t)

    def denoise(self, x_t: TensorLike, t: TensorLike | int) -> tf.Tensor:
        """x_hat, the data as predicted from a state of the chain.

        Args:
            x_t: array (batch, *event_shape), in the units of the chain.
            t: int, or ints (batch,), from 1 to T.

        Returns:
            float32 tensor (batch, *event_shape), in the units of the data.
        """
        x_t = tf.cast(x_t, "float32")
        self._ensure_built(x_t)
        t = tf.broadcast_to(self._checked_time(t), tf.shape(x_t)[:1])
        return self._to_data(self._predicted_x(x_t, t))

    def reconstruct(
        self, x: TensorLike, t: TensorLike | int | None = None, seed: Seed = 0
    ) -> tf.Tensor:
        """x_hat from x_t ~ q(x_t | x): what is left of x at level t.

        Args:
            x: array (batch, *event_shape).
            t: None (T / 10), int, or ints (batch,), from 1 to T.
            seed: None, int or integer tensor (2,).

        Returns:
            float32 tensor (batch, *event_shape).
        """
        t = self._low_level() if t is None else t
        return self.denoise(self.diffuse(x, t, seed), t)

    def call(self, x: TensorLike, training: bool = False) -> tf.Tensor:
        t = tf.fill([tf.shape(x)[0]], self._low_level())
        x = self._to_chain(x)
        x_t = self._process.diffuse(x, tf.zeros_like(x), t)
        return self._to_data(self._predicted_x(x_t, t))

    def _low_level(self):
        return max(1, self.num_steps // 10)

    def _checked_time(self, t):
        value = np.asarray(t)
        if not np.issubdtype(value.dtype, np.integer) or np.any(
            (value < 1) | (value > self.num_steps)
        ):
            raise ValueError(
                f"`t` must be an int from 1 to {self.num_steps}. "
                f"Received: t={t}"
            )
        return tf.constant(value, "int32")

    # === Generation ===

    def sample(
        self,
        num: Scalar,
        seed: Seed | None = None,
        num_steps: int | None = None,
        method: str = "ancestral",
        eta: float = 0.0,
    ) -> tf.Tensor:
        """Draws from p(x_T), then down the chain, to the mean of the last p.

        Args:
            num: int or scalar int tensor.
            seed: None, int or integer tensor (2,); the same seed gives the
                same samples, None fresh ones.
            num_steps: None (T), or int from 1 to T: evenly spaced levels, of
                which all others are skipped.
            method: "ancestral", or "ddim": the same q(x_t | x_0) with less
                noise on the way, better in few steps.
            eta: float in [0, 1], of "ddim": 0 draws x_T alone, 1 the
                posterior's noise at each level.

        Returns:
            float32 tensor (num, *event_shape).

        Raises:
            ValueError: if `num_steps`, `method` or `eta` is out of range.

        Reference:
            Ho, Jain, Abbeel, 2020, algorithm 2; Song, Meng, Ermon, 2021,
            equation 12; Nichol, Dhariwal, 2021, section 4.
        """
        plan = self._plan(self.num_steps, num_steps, method, eta)
        seed = random.as_seed(seed)
        num = tf.cast(sample_count("num", num), "int32")
        return self._run(self._sample, num, seed, *plan)

    def interpolate(
        self,
        x_start: TensorLike,
        x_end: TensorLike,
        num: int = 10,
        t: int | None = None,
        seed: Seed | None = None,
    ) -> tf.Tensor:
        """Points between examples, mixed at level t and taken down again.

        Both ends are diffused by the same noise; x_t are on the straight line
        between them. The larger t, the more is made up on the way down.

        Args:
            x_start, x_end: arrays (batch, *event_shape).
            num: int >= 2, points on each line, ends included.
            t: None (T / 2), or int from 1 to T.
            seed: None, int or integer tensor (2,).

        Returns:
            float32 tensor (batch, num, *event_shape).

        Reference:
            Ho, Jain, Abbeel, 2020, section 4.4.
        """
        t = max(1, self.num_steps // 2) if t is None else t
        seed = random.as_seed(seed)
        x_start, x_end = (
            self.diffuse(x, t, seed)[:, tf.newaxis] for x in (x_start, x_end)
        )
        mix = tf.reshape(
            tf.linspace(0.0, 1.0, num), [1, -1] + [1] * len(self.event_shape)
        )
        x_t = (1.0 - mix) * x_start + mix * x_end
        # Other noise than that of x_t.
        seed = random.fold_in(seed, 1)
        rows = tf.reshape(x_t, [-1, *self.event_shape])
        x = self._run(self._descend, rows, seed, *self._plan(t))
        return tf.reshape(x, tf.shape(x_t))

    def _plan(self, highest, num_steps=None, method="ancestral", eta=0.0):
        """Levels to visit, and what to do there, as tensors."""
        visited = diffusion_sampling.levels(highest, num_steps)
        table = diffusion_sampling.transitions(
            self._process, visited, method, eta, self.variance
        )
        return tf.constant(visited), tf.constant(table, "float32")

    def _run(self, function, start, *arguments):
        """A function in one graph for any batch and number of steps."""
        rows = [None] * min(1, start.shape.rank)
        spec = tf.TensorSpec([*rows, *start.shape[1:]], start.dtype)
        return self._functions.run(
            function.__name__,
            function,
            [spec, *_PLAN_SPECS],
            [start, *arguments],
        )

    # AutoGraph has nothing to convert and takes longer than the tracing.
    @tf.autograph.experimental.do_not_convert
    def _sample(self, num, seed, visited, table):
        noise = random.Noise(random.fold_in(seed, 0))
        x = noise.normal([num, *self.event_shape])
        return self._descend(x, random.fold_in(seed, 1), visited, table)

    @tf.autograph.experimental.do_not_convert
    def _descend(self, x, seed, visited, table):
        """From x_t at the first of the visited levels to data."""
        noise = random.Noise(seed)
        shape = tf.unstack(tf.shape(x))

        def step(index, x):
            t = tf.fill(shape[:1], visited[index])
            to_x, to_x_t, to_noise = tf.unstack(table[index])
            predicted = self._predicted_x(x, t)
            drawn = noise.fold(index).normal(shape)
            x_s = to_x * predicted + to_x_t * x + to_noise * drawn
            return index + 1, tf.ensure_shape(x_s, x.shape)

        _, x = tf.while_loop(
            lambda index, x: index < tf.shape(visited)[0],
            step,
            (0, x),
            parallel_iterations=1,
        )
        return self._to_data(x)

    # === Export ===

    def export_signatures(self) -> dict[str, ExportSignature]:
        """Named functions for a SavedModel, see `keras_vae.export_model`.

        Returns:
            dict of name to (function, list of `tf.TensorSpec`).
        """
        x = specs.floats("x", self.event_shape)

        def sample(num, seed):
            return {"samples": self.sample(num, seed)}

        def log_prob(x, seed):
            return {"log_prob": self._bound(x, seed)}

        return {
            "serving_default": (sample, [specs.NUM, specs.SEED]),
            "log_prob": (log_prob, [x, specs.SEED]),
        }

    def _bound(self, x, seed):
        """An estimate of ELBO(x) from two levels: (batch,)."""
        with random.noise_scope(random.Noise(seed)):
            terms = self.compute_terms(x, None, training=False)
        return -tf.add_n([terms[k] for k in terms if self._terms[k].elbo])


def _input_shape(network):
    """Shape of one example that a network takes, None if not known."""
    inputs = getattr(network, "inputs", None)
    if not inputs or None in inputs[0].shape[1:]:
        return None
    return inputs[0].shape[1:]
