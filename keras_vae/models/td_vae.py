import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import random
from keras_vae.arguments import non_negative
from keras_vae.arguments import positive_int
from keras_vae.arguments import positive_ints
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.models import markov_chain
from keras_vae.models import specs
from keras_vae.models.jump_times import JUMP_DISTRIBUTIONS
from keras_vae.models.jump_times import draw_times
from keras_vae.models.sample_axis import by_sample
from keras_vae.models.sample_axis import tile
from keras_vae.models.state_space_model import StateSpaceModel
from keras_vae.random import Noise
from keras_vae.typing import Array
from keras_vae.typing import ExportSignature
from keras_vae.typing import Network
from keras_vae.typing import Scalar
from keras_vae.typing import Seed
from keras_vae.typing import TensorLike
from keras_vae.typing import Weight


@keras.saving.register_keras_serializable(package="keras_vae")
class TDVAE(StateSpaceModel):
    """Temporal difference VAE: a state space model that jumps in time.

    b_t = RNN(b_{t-1}, x_t)                    belief network
    p_B(z_t | b_t)                             belief about the state
    q_S(z_t1 | z_t2, b_t1, b_t2)               smoothing
    p_T(z_t2 | z_t1, t2 - t1)                  transition
    p_D(x_t2 | z_t2)                           decoder
    z_t2 ~ p_B(. | b_t2), z_t1 ~ q_S(. | z_t2, b_t1, b_t2)
    loss = reconstruction_loss + beta * (belief_kl_loss + transition_loss)
        reconstruction_loss = -log p_D(x_t2 | z_t2)
        belief_kl_loss      = KL(q_S || p_B(. | b_t1)), in closed form
        transition_loss     = log p_B(z_t2 | b_t2) - log p_T(z_t2 | z_t1)

    Times t1 < t2 are drawn for each sequence. A state has L levels, z_t =
    (z^1, .., z^L), which are drawn from the top: each distribution of level l
    takes z^{l+1} of the same time too. `transition_loss` is one sample of a
    log-ratio and may be negative.

    Args:
        belief_network: Keras RNN layer: LSTM, GRU, or RNN of a cell. The
            model makes it return sequences and states.
        decoder: Keras model, all levels of a state, concatenated bottom
            first, (batch, sum(latent_dims)) to raw likelihood parameters of
            one step (batch, *params_shape).
        latent_dims: list of ints, size of each level, bottom first.
        preprocessor: None (steps are flattened), or Keras model from one step
            (batch, *event) to features (batch, ...) for the belief network.
        hidden_units: int >= 1, units of all conditional distributions.
        likelihood: `Likelihood` or its name.
        jump_range: pair of ints, least and largest t2 - t1 in training.
        num_pairs: int >= 1, pairs (t1, t2) of each sequence in a step.
        condition_on_jump: bool, whether p_T is told t2 - t1.
        jump_distribution: "uniform", or "log_uniform": short jumps are drawn
            as often as long ones, for a wide `jump_range`.
        jump_frequencies: int >= 0, number of frequencies, from half a period
            in the longest jump to a quarter of one in a step, at which p_T is
            told the sine and cosine of the jump too: for states that turn.
        beta: float or Keras LearningRateSchedule, weight of `belief_kl_loss`
            and `transition_loss`: where a state cannot be predicted at first,
            a warm-up lets it hold the data before.
        **kwargs: `seed`, `name`, `dtype`.

    Call arguments:
        x: float tensor (batch, steps, *event), or a dict of it, "x", and of
            "mask": bool (batch, steps), True up to the end of a sequence.

    Input shape:
        (batch, steps, *event)

    Output shape:
        (batch, steps, *event), means of p_D at the means of p_B

    Raises:
        ValueError: if an argument is out of range, or the networks do not fit
            each other or the likelihood.

    Example:
    >>> model = keras_vae.TDVAE(
    ...     keras.layers.LSTM(16),
    ...     keras_vae.networks.mlp_decoder(6, (8, 8, 1), units=(32,)),
    ...     latent_dims=[4, 2],
    ... )
    >>> x = np.zeros((2, 11, 8, 8, 1), "float32")
    >>> model.belief(x).shape, model.rollout(x, 5, num_samples=3).shape
    (TensorShape([2, 11, 16]), TensorShape([2, 3, 5, 8, 8, 1]))

    Reference:
        Gregor, Papamakarios, Besse, Buesing, Weber, 2019, equations 6-8.
    """

    blocks = ("belief", "smoothing", "transition")

    def __init__(
        self,
        belief_network: keras.layers.Layer,
        decoder: Network,
        latent_dims: Sequence[int],
        preprocessor: Network | None = None,
        hidden_units: int = 50,
        likelihood: Likelihood | str = "bernoulli",
        jump_range: Sequence[int] = (1, 4),
        num_pairs: int = 1,
        condition_on_jump: bool = True,
        jump_distribution: str = "uniform",
        jump_frequencies: int = 0,
        beta: Weight = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            belief_network,
            decoder,
            latent_dims,
            preprocessor,
            hidden_units,
            likelihood,
            **kwargs,
        )
        self.jump_range = list(positive_ints("jump_range", jump_range, 2))
        if self.jump_range[0] > self.jump_range[1]:
            raise ValueError(
                "`jump_range` must be the least and the largest jump. "
                f"Received: jump_range={jump_range}"
            )
        self.num_pairs = positive_int("num_pairs", num_pairs)
        self.condition_on_jump = condition_on_jump
        self.jump_distribution = jump_distribution
        if jump_distribution not in JUMP_DISTRIBUTIONS:
            raise ValueError(
                "`jump_distribution` must be one of "
                f"{list(JUMP_DISTRIBUTIONS)}. "
                f"Received: jump_distribution={jump_distribution!r}"
            )
        if not isinstance(jump_frequencies, int) or jump_frequencies < 0:
            raise ValueError(
                "`jump_frequencies` must be an int, at least 0. "
                f"Received: jump_frequencies={jump_frequencies}"
            )
        if jump_frequencies and not condition_on_jump:
            raise ValueError(
                "`jump_frequencies` needs `condition_on_jump=True`. "
                f"Received: jump_frequencies={jump_frequencies}"
            )
        self.jump_frequencies = jump_frequencies
        self.beta = non_negative("beta", beta)
        self.add_term("reconstruction_loss", elbo=True)
        self.add_term("belief_kl_loss", beta, elbo=True)
        self.add_term("transition_loss", beta, elbo=True)

    def block_widths(self, belief: int, state: int) -> dict[str, int]:
        told = 2 * (1 + self.jump_frequencies) * self.condition_on_jump
        return {
            "belief": belief,
            "smoothing": 2 * belief + state + told,
            "transition": state + told,
        }

    def check_lengths(self, lengths: Array) -> None:
        if lengths.min() <= self.jump_range[0]:
            raise ValueError(
                f"`x` must hold sequences of more than {self.jump_range[0]} "
                "steps, the least jump of `jump_range`. "
                f"Received: a sequence of {lengths.min()}"
            )

    # === Objective ===

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        x, lengths = self.sequences(x)
        beliefs, _ = self.beliefs_of(x, None, training)
        noise = random.current_noise()
        count = self.num_pairs
        first, second = draw_times(
            noise, tile(lengths, count), self.jump_range, self.jump_distribution
        )
        rows = tf.tile(tf.range(tf.shape(x)[0]), [count])

        def at(values, t):
            return tf.gather_nd(values, tf.stack([rows, t], axis=1))

        terms = self._pair_terms(
            at(x, second),
            at(beliefs, first),
            at(beliefs, second),
            second - first,
            noise,
            training,
        )
        return {
            name: tf.reduce_mean(by_sample(term, count), axis=0)
            for name, term in terms.items()
        }

    def elbo(
        self, x: TensorLike, dt: int = 1, seed: Seed | None = None
    ) -> tf.Tensor:
        """Bounds of log p(x_{t+dt} | x_1..t) for every t, from one draw.

        The conditional probability is that of p_B(z_t | b_t), p_T and p_D;
        the bound is minus the sum of the terms.

        Args:
            x: tensor (batch, steps, *event_shape), without a mask: a bound of
                steps after the end of a sequence means nothing.
            dt: int, within `jump_range`.
            seed: None, int or integer tensor (2,).

        Returns:
            float32 tensor (batch, steps - dt), nats.

        Raises:
            ValueError: if `dt` is outside of `jump_range`, there are not more
                steps, or x is a dict.
        """
        if isinstance(x, dict):
            raise ValueError(
                "`x` must be an array here, sequences of one length: take "
                "those of each length by themselves. "
                f"Received: a dict of {sorted(x)}"
            )
        x, _ = self.sequences(x)
        self._check_jump(dt)
        if x.shape[1] <= dt:
            raise ValueError(
                f"`x` must hold more than dt={dt} steps. "
                f"Received: x of shape {x.shape}"
            )
        beliefs, _ = self.beliefs_of(x)
        batch, pairs = tf.shape(x)[0], x.shape[1] - dt

        def rows(values):
            return tf.reshape(values, [batch * pairs, *values.shape[2:]])

        terms = self._pair_terms(
            rows(x[:, dt:]),
            rows(beliefs[:, :-dt]),
            rows(beliefs[:, dt:]),
            tf.fill([batch * pairs], dt),
            random.Noise(tf.cast(random.as_seed(seed), "int32")),
            training=False,
        )
        return -tf.reshape(tf.add_n(list(terms.values())), [batch, pairs])

    def _pair_terms(self, x_2, b_1, b_2, jump, noise, training):
        z_2, belief_2 = self.draw_levels(self.belief_blocks, b_2, noise)
        told = self._told(jump)
        context = tf.concat([b_1, b_2, *z_2, *told], axis=-1)
        z_1, smoothing = self.draw_levels(self.smoothing_blocks, context, noise)
        belief_1 = self.given_levels(self.belief_blocks, b_1, z_1)
        context = tf.concat([*z_1, *told], axis=-1)
        transition = self.given_levels(self.transition_blocks, context, z_2)
        params = self.decoder(tf.concat(z_2, axis=-1), training=training)
        log_prob = self.likelihood.log_prob(params, x_2, training)
        log_ratios = [
            markov_chain.Level(z, q, p, exact=False).log_ratio()
            for z, q, p in zip(z_2, belief_2, transition)
        ]
        kls = [
            markov_chain.Level(z, q, p, exact=True).kl()
            for z, q, p in zip(z_1, smoothing, belief_1)
        ]
        return {
            "reconstruction_loss": -log_prob,
            "belief_kl_loss": tf.add_n(kls),
            "transition_loss": -tf.add_n(log_ratios),
        }

    def _told(self, jump):
        """What p_T and q_S are told of the jump: a list of tensors."""
        if not self.condition_on_jump:
            return []
        jump = tf.cast(jump, "float32")[:, tf.newaxis]
        largest = self.jump_range[1]
        # The second tells short jumps apart where the longest is long.
        told = [jump / largest, tf.math.log1p(jump) / math.log1p(largest)]
        if self.jump_frequencies:
            frequencies = np.geomspace(
                1.0 / (2.0 * largest), 0.25, self.jump_frequencies
            )
            angles = jump * tf.constant(2.0 * np.pi * frequencies, "float32")
            told += [tf.sin(angles), tf.cos(angles)]
        return told

    # === Beliefs ===

    def filter(
        self, x: TensorLike | dict[str, TensorLike]
    ) -> list[tfd.Distribution]:
        """p_B(z_t | b_t) after the last step of each sequence.

        Args:
            x: tensor (batch, steps, *event_shape), or a dict with a mask.

        Returns:
            list of tfd objects, bottom first, each level given the means of
            those above.
        """
        present = self.present(x, num_samples=1, seed=random.as_seed(0))
        return self.draw_levels(self.belief_blocks, present)[1]

    def smooth(self, x: TensorLike, t1: int, t2: int) -> list[tfd.Distribution]:
        """q_S(z_t1 | z_t2, b_t1, b_t2), z_t2 at the mean of p_B.

        Args:
            x: tensor (batch, steps, *event_shape).
            t1, t2: ints, steps counted from 0, t1 < t2.

        Returns:
            list of tfd objects, bottom first, each level given the means of
            those above.

        Raises:
            ValueError: if not 0 <= t1 < t2 < steps.
        """
        x, _ = self.sequences(x)
        _check_times(t1, t2, x.shape[1])
        beliefs, _ = self.beliefs_of(x)
        b_1, b_2 = beliefs[:, t1], beliefs[:, t2]
        z_2, _ = self.draw_levels(self.belief_blocks, b_2)
        told = self._told(tf.fill(tf.shape(x)[:1], t2 - t1))
        context = tf.concat([b_1, b_2, *z_2, *told], axis=-1)
        return self.draw_levels(self.smoothing_blocks, context)[1]

    def call(
        self, x: TensorLike | dict[str, TensorLike], training: bool = False
    ) -> tf.Tensor:
        x, _ = self.sequences(x)
        beliefs, _ = self.beliefs_of(x)
        flat = tf.reshape(beliefs, [-1, beliefs.shape[-1]])
        codes, _ = self.draw_levels(self.belief_blocks, flat)
        return tf.reshape(self.decode(tf.concat(codes, axis=-1)), tf.shape(x))

    # === The future ===

    def rollout(
        self,
        x: TensorLike | dict[str, TensorLike],
        num_steps: Scalar,
        num_samples: int = 1,
        seed: Seed | None = None,
        observe: bool = False,
    ) -> tf.Tensor:
        self._check_jump(1)
        return super().rollout(x, num_steps, num_samples, seed, observe)

    def jump(
        self,
        x: TensorLike | dict[str, TensorLike],
        dt: Scalar,
        num_samples: int = 1,
        seed: Seed | None = None,
        observe: bool = False,
    ) -> tf.Tensor:
        """Frames `dt` steps after the end of sequences, in one step.

        Args:
            x: tensor (batch, steps, *event_shape), or a dict with a mask.
            dt: int, within `jump_range`.
            num_samples: int >= 1, futures of each sequence.
            seed, observe: as in `rollout`.

        Returns:
            float32 tensor (batch, num_samples, *event_shape).

        Raises:
            ValueError: if `dt` is outside of `jump_range`, or p_T is not told
                the jump, whose lengths differ in training.
        """
        if not self.condition_on_jump and len(set(self.jump_range)) > 1:
            raise ValueError(
                "A jump of a given length needs `condition_on_jump=True`, or "
                "one length in training. "
                f"Received: jump_range={self.jump_range}"
            )
        self._check_jump(dt)
        return self.future(self._jump, x, dt, num_samples, seed, observe)

    def _check_jump(self, dt):
        least, largest = self.jump_range
        # That of a served function is not known.
        if tf.is_tensor(dt):
            return
        if not least <= positive_int("dt", dt) <= largest:
            raise ValueError(
                f"`dt` must be within `jump_range`, {least} to {largest}. "
                f"Received: dt={dt}"
            )

    @tf.autograph.experimental.do_not_convert
    def _jump(self, present, dt, seed, observe):
        noise = random.Noise(seed)
        start, _ = self.draw_levels(self.belief_blocks, present, noise)
        jump = tf.fill(tf.shape(present)[:1], dt)
        z = self.transit(tf.concat(start, axis=-1), noise, jump)
        return self.frame(z, noise, observe)

    def transit(
        self, z: tf.Tensor, noise: Noise, jump: tf.Tensor | None = None
    ) -> tf.Tensor:
        jump = tf.ones(tf.shape(z)[:1], "int32") if jump is None else jump
        context = tf.concat([z, *self._told(jump)], axis=-1)
        codes, _ = self.draw_levels(self.transition_blocks, context, noise)
        return tf.concat(codes, axis=-1)

    # === Export ===

    def export_signatures(self) -> dict[str, ExportSignature]:
        """Named functions for a SavedModel, see `keras_vae.export_model`.

        Returns:
            dict of name to (function, list of `tf.TensorSpec`).
        """
        x = specs.floats("x", (None, *self.event_shape))
        num_steps = tf.TensorSpec((), "int32", name="num_steps")
        dt = tf.TensorSpec((), "int32", name="dt")

        def belief(x):
            return {"belief": self.belief(x)}

        def rollout(x, num_steps, seed):
            return {"frames": self.rollout(x, num_steps, seed=seed)[:, 0]}

        def jump(x, dt, seed):
            return {"frames": self.jump(x, dt, seed=seed)[:, 0]}

        signatures: dict[str, ExportSignature] = {
            "serving_default": (belief, [x]),
            "belief": (belief, [x]),
            "rollout": (rollout, [x, num_steps, specs.SEED]),
        }
        if self.condition_on_jump or len(set(self.jump_range)) == 1:
            signatures["jump"] = (jump, [x, dt, specs.SEED])
        return signatures


def _check_times(t1, t2, steps):
    if not 0 <= t1 < t2 < steps:
        raise ValueError(
            f"`t1` and `t2` must be steps 0 <= t1 < t2 < {steps}. "
            f"Received: t1={t1}, t2={t2}"
        )
