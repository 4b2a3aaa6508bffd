import keras
import numpy as np
import tensorflow as tf

from keras_vae import data_checks
from keras_vae import likelihoods
from keras_vae import random
from keras_vae.arguments import positive_int
from keras_vae.arguments import positive_ints
from keras_vae.layers.gated_normal import GatedNormal
from keras_vae.models import architecture
from keras_vae.models import markov_chain
from keras_vae.models.base import TermModel
from keras_vae.models.compiled_functions import CompiledFunctions
from keras_vae.models.hierarchy import by_sample
from keras_vae.models.hierarchy import tile


@keras.saving.register_keras_serializable(package="keras_vae")
class TDVAE(TermModel):
    """Temporal difference VAE: a state space model that jumps in time.

    b_t = RNN(b_{t-1}, x_t)                    belief network
    p_B(z_t | b_t)                             belief about the state
    q_S(z_t1 | z_t2, b_t1, b_t2)               smoothing
    p_T(z_t2 | z_t1, t2 - t1)                  transition
    p_D(x_t2 | z_t2)                           decoder
    z_t2 ~ p_B(. | b_t2), z_t1 ~ q_S(. | z_t2, b_t1, b_t2)
    loss = reconstruction_loss + belief_kl_loss + transition_loss
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

    def __init__(
        self,
        belief_network,
        decoder,
        latent_dims,
        preprocessor=None,
        hidden_units=50,
        likelihood="bernoulli",
        jump_range=(1, 4),
        num_pairs=1,
        condition_on_jump=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not isinstance(belief_network, keras.layers.RNN):
            raise ValueError(
                "`belief_network` must be a Keras RNN layer. "
                f"Received: belief_network={belief_network!r}"
            )
        belief_network.return_sequences = True
        belief_network.return_state = True
        self.belief_network = belief_network
        self.decoder = decoder
        self.latent_dims = list(positive_ints("latent_dims", latent_dims))
        self.preprocessor = preprocessor
        self.hidden_units = positive_int("hidden_units", hidden_units)
        self.likelihood = likelihoods.get(likelihood)
        self.jump_range = list(positive_ints("jump_range", jump_range, 2))
        if self.jump_range[0] > self.jump_range[1]:
            raise ValueError(
                "`jump_range` must be the least and the largest jump. "
                f"Received: jump_range={jump_range}"
            )
        self.num_pairs = positive_int("num_pairs", num_pairs)
        self.condition_on_jump = condition_on_jump
        architecture.check_activation(decoder, self.likelihood)
        kinds = ("belief", "smoothing", "transition")
        self.belief_blocks, self.smoothing_blocks, self.transition_blocks = (
            self._blocks(kind, random.spawn_seeds(self.seed, 3)[n])
            for n, kind in enumerate(kinds)
        )
        for name in ("reconstruction", "belief_kl", "transition"):
            self.add_term(f"{name}_loss", elbo=True)
        self._event_shape = None
        self._functions = CompiledFunctions()

    def _blocks(self, kind, seed):
        """A `GatedNormal` for each level, bottom first."""
        seeds = random.spawn_seeds(seed, len(self.latent_dims))
        return [
            GatedNormal(
                self.hidden_units, size, seed=spawned, name=f"{kind}_{level}"
            )
            for level, (size, spawned) in enumerate(
                zip(self.latent_dims, seeds), 1
            )
        ]

    # === Shapes and data ===

    @property
    def event_shape(self):
        """Shape of one step; known once the model is built."""
        if self._event_shape is None:
            raise ValueError(
                "TDVAE is not built: call it on a batch, or "
                "`build((None, None, *event_shape))`. Received: built=False"
            )
        return self._event_shape

    def build(self, input_shape):
        if isinstance(input_shape, dict):
            input_shape = input_shape["x"]
        self._event_shape = tuple(input_shape)[2:]
        step = (None, *self._event_shape)
        if self.preprocessor is not None and not self.preprocessor.built:
            self.preprocessor.build(step)
        features = self._features_size()
        if not self.belief_network.built:
            self.belief_network.build((None, None, features))
        belief = self.belief_network.compute_output_shape(
            (None, None, features)
        )[0][-1]
        state = sum(self.latent_dims)
        contexts = {
            "belief": belief,
            "smoothing": 2 * belief + state + self.condition_on_jump,
            "transition": state + self.condition_on_jump,
        }
        above = [*self.latent_dims[1:], 0]
        for kind, width in contexts.items():
            for block, more in zip(getattr(self, f"{kind}_blocks"), above):
                if not block.built:
                    block.build((None, width + more))
        known = architecture.event_shape(self.decoder)
        if known is not None and tuple(known) != (state,):
            raise ValueError(
                f"`decoder` must take states of shape ({state},), all levels "
                f"concatenated. Received: decoder for {tuple(known)}"
            )
        if not self.decoder.built:
            self.decoder.build((None, state))
        params = self.decoder.compute_output_shape((None, state))
        architecture.check_params(
            tuple(params)[1:], self._event_shape, self.likelihood
        )
        if not self.likelihood.built:
            self.likelihood.build(tuple(params))

    def check_data(self, x, y=None):
        if y is not None:
            raise ValueError(
                "A TDVAE is fitted to `x` alone, without a target. "
                f"Received: y of shape {np.shape(y)}"
            )
        x, mask = _parts(x)
        if x.ndim < 3:
            raise ValueError(
                "`x` must have shape (batch, steps, *event). "
                f"Received: x of shape {x.shape}"
            )
        if self._event_shape not in (None, x.shape[2:]):
            raise ValueError(
                f"`x` must have steps of shape {self._event_shape}. "
                f"Received: x of shape {x.shape}"
            )
        data_checks.check_dtype(x, "x")
        data_checks.check_finite(x, "x")
        lengths = np.full(len(x), x.shape[1])
        if mask is not None:
            lengths = _checked_lengths(mask, x)
        if lengths.min() <= self.jump_range[0]:
            raise ValueError(
                f"`x` must hold sequences of more than {self.jump_range[0]} "
                "steps, the least jump of `jump_range`. "
                f"Received: a sequence of {lengths.min()}"
            )
        self.likelihood.validate(x.reshape(-1, *x.shape[2:]), "x")

    def _sequences(self, x):
        """x as a tensor, and the number of steps of each sequence."""
        x, mask = _parts(x)
        x = tf.cast(tf.convert_to_tensor(x), "float32")
        if not self.built:
            self.build(x.shape)
        if mask is None:
            return x, tf.fill(tf.shape(x)[:1], tf.shape(x)[1])
        mask = tf.cast(tf.convert_to_tensor(mask), "int32")
        return x, tf.reduce_sum(mask, axis=1)

    # === Objective ===

    def compute_terms(self, x, y, training):
        x, lengths = self._sequences(x)
        beliefs, _ = self._beliefs(x, None, training)
        noise = random.current_noise()
        count = self.num_pairs
        first, second = self._times(tile(lengths, count), noise)
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

    def _times(self, lengths, noise):
        """t1 and t2, counted from 0, of each row: int32 tensors."""
        least, largest = self.jump_range
        largest = tf.minimum(largest, lengths - 1)
        jump = least + _integers(noise, largest - least + 1)
        first = _integers(noise, lengths - jump)
        return first, first + jump

    def _pair_terms(self, x_2, b_1, b_2, jump, noise, training):
        z_2, belief_2 = self._draw(self.belief_blocks, b_2, noise)
        told = self._told(jump)
        context = tf.concat([b_1, b_2, *z_2, *told], axis=-1)
        z_1, smoothing = self._draw(self.smoothing_blocks, context, noise)
        belief_1 = self._given(self.belief_blocks, b_1, z_1)
        context = tf.concat([*z_1, *told], axis=-1)
        transition = self._given(self.transition_blocks, context, z_2)
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
        share = tf.cast(jump, "float32") / self.jump_range[1]
        return [share[:, tf.newaxis]]

    # === Distributions of a state ===

    def _draw(self, blocks, context, noise=None):
        """Samples, or means without noise, and their distributions.

        Args:
            blocks: list of `GatedNormal`, bottom first.
            context: tensor (rows, channels).
            noise: `keras_vae.random.Noise` or None.

        Returns:
            (list of z, list of tfd), bottom first.
        """
        codes, distributions = [], []
        for block in reversed(blocks):
            inputs = tf.concat([context, *codes[:1]], axis=-1)
            distributions.insert(0, markov_chain.normal(*block(inputs)))
            codes.insert(0, markov_chain.draw(distributions[0], noise))
        return codes, distributions

    def _given(self, blocks, context, codes):
        """Distributions of each level, given the codes above it."""
        return [
            markov_chain.normal(
                *block(tf.concat([context, *codes[n + 1 : n + 2]], axis=-1))
            )
            for n, block in enumerate(blocks)
        ]

    def _beliefs(self, x, state, training=False):
        """Beliefs (batch, steps, units), and the state to go on from."""
        steps = tf.shape(x)[:2]
        features = x
        if self.preprocessor is not None:
            flat = tf.reshape(x, [-1, *self.event_shape])
            features = self.preprocessor(flat, training=training)
        size = self._features_size()
        features = tf.reshape(features, [steps[0], steps[1], size])
        beliefs, *state = self.belief_network(
            features, initial_state=state, training=training
        )
        return tf.cast(beliefs, "float32"), state

    def _features_size(self):
        """Number of features that the belief network takes at a step."""
        if self.preprocessor is None:
            return int(np.prod(self.event_shape))
        step = (None, *self.event_shape)
        return int(np.prod(self.preprocessor.compute_output_shape(step)[1:]))

    # === Beliefs ===

    def belief(self, x, state=None, return_state=False):
        """b_t of every step, from what came before it and itself.

        Args:
            x: tensor (batch, steps, *event_shape), or a dict with a mask.
            state: None, or what an earlier call returned: x goes on where
                that one ended.
            return_state: bool.

        Returns:
            float32 tensor (batch, steps, units); with `return_state` a pair
            of it and of the state after the last step.
        """
        x, _ = self._sequences(x)
        beliefs, state = self._beliefs(x, state)
        return (beliefs, state) if return_state else beliefs

    def filter(self, x):
        """p_B(z_t | b_t) after the last step of each sequence.

        Args:
            x: tensor (batch, steps, *event_shape), or a dict with a mask.

        Returns:
            list of tfd objects, bottom first, each level given the means of
            those above.
        """
        return self._draw(self.belief_blocks, self._last_belief(x))[1]

    def _last_belief(self, x):
        x, lengths = self._sequences(x)
        beliefs, _ = self._beliefs(x, None)
        return tf.gather(beliefs, lengths - 1, axis=1, batch_dims=1)

    def smooth(self, x, t1, t2):
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
        x, _ = self._sequences(x)
        if not 0 <= t1 < t2 < x.shape[1]:
            raise ValueError(
                f"`t1` and `t2` must be steps 0 <= t1 < t2 < {x.shape[1]}. "
                f"Received: t1={t1}, t2={t2}"
            )
        beliefs, _ = self._beliefs(x, None)
        b_1, b_2 = beliefs[:, t1], beliefs[:, t2]
        z_2, _ = self._draw(self.belief_blocks, b_2)
        told = self._told(tf.fill(tf.shape(x)[:1], t2 - t1))
        context = tf.concat([b_1, b_2, *z_2, *told], axis=-1)
        return self._draw(self.smoothing_blocks, context)[1]

    def decode(self, z):
        """Mean of p_D(x_t | z_t): tensor (batch, *event_shape).

        Args:
            z: tensor (batch, sum(latent_dims)), all levels, bottom first.
        """
        return self.likelihood.mean(self.decoder(z, training=False))

    def call(self, x, training=False):
        x, _ = self._sequences(x)
        beliefs, _ = self._beliefs(x, None)
        flat = tf.reshape(beliefs, [-1, beliefs.shape[-1]])
        codes, _ = self._draw(self.belief_blocks, flat)
        return tf.reshape(self.decode(tf.concat(codes, axis=-1)), tf.shape(x))

    # === The future ===

    def rollout(self, x, num_steps, num_samples=1, seed=None):
        """Frames after the end of sequences, step by step.

        Args:
            x: tensor (batch, steps, *event_shape), or a dict with a mask.
            num_steps: int >= 1.
            num_samples: int >= 1, futures of each sequence.
            seed: None, int or integer tensor (2,); the same seed gives the
                same futures, None fresh ones.

        Returns:
            float32 tensor (batch, num_samples, num_steps, *event_shape).

        Raises:
            ValueError: if `num_steps` is not positive, or p_T is told the
                jump and was not trained on jumps of 1.
        """
        if not tf.is_tensor(num_steps):
            positive_int("num_steps", num_steps)
        self._check_jump(1)
        return self._future(self._rollout, x, num_steps, num_samples, seed)

    def jump(self, x, dt, num_samples=1, seed=None):
        """Frames `dt` steps after the end of sequences, in one step.

        Args:
            x: tensor (batch, steps, *event_shape), or a dict with a mask.
            dt: int, within `jump_range`.
            num_samples: int >= 1, futures of each sequence.
            seed: as in `rollout`.

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
        return self._future(self._jump, x, dt, num_samples, seed)

    def _check_jump(self, dt):
        least, largest = self.jump_range
        if tf.is_tensor(dt) or not self.condition_on_jump:
            return
        if not least <= dt <= largest:
            raise ValueError(
                f"`dt` must be within `jump_range`, {least} to {largest}. "
                f"Received: dt={dt}"
            )

    def _future(self, function, x, amount, num_samples, seed):
        """Runs a function of (beliefs, amount, seed), one row a sample."""
        positive_int("num_samples", num_samples)
        belief = tf.repeat(self._last_belief(x), num_samples, axis=0)
        specs = [
            tf.TensorSpec((None, belief.shape[-1]), "float32"),
            tf.TensorSpec((), "int32"),
            tf.TensorSpec((2,), "int32"),
        ]
        seed = tf.cast(random.as_seed(seed), "int32")
        frames = self._functions.run(
            function.__name__,
            function,
            specs,
            [belief, tf.cast(amount, "int32"), seed],
        )
        shape = tf.shape(frames)
        leading = [shape[0] // num_samples, num_samples]
        return tf.reshape(frames, tf.concat([leading, shape[1:]], axis=0))

    @tf.autograph.experimental.do_not_convert
    def _rollout(self, belief, num_steps, seed):
        noise = random.Noise(seed)
        start, _ = self._draw(self.belief_blocks, belief, noise)
        rows = tf.shape(belief)[0]
        frames = tf.TensorArray(
            "float32", num_steps, element_shape=(None, *self.event_shape)
        )

        def step(index, z, frames):
            z = self._transit(z, tf.ones([rows], "int32"), noise.fold(index))
            return index + 1, z, frames.write(index, self.decode(z))

        state = tf.concat(start, axis=-1)
        *_, frames = tf.while_loop(
            lambda index, *_: index < num_steps,
            step,
            (0, state, frames),
            parallel_iterations=1,
        )
        rank = 1 + len(self.event_shape)
        return tf.transpose(frames.stack(), [1, 0, *range(2, rank + 1)])

    @tf.autograph.experimental.do_not_convert
    def _jump(self, belief, dt, seed):
        noise = random.Noise(seed)
        start, _ = self._draw(self.belief_blocks, belief, noise)
        jump = tf.fill(tf.shape(belief)[:1], dt)
        return self.decode(
            self._transit(tf.concat(start, axis=-1), jump, noise)
        )

    def _transit(self, z, jump, noise):
        """A draw of p_T: all levels, concatenated."""
        context = tf.concat([z, *self._told(jump)], axis=-1)
        codes, _ = self._draw(self.transition_blocks, context, noise)
        return tf.concat(codes, axis=-1)

    # === Export ===

    def export_signatures(self):
        """Named functions for a SavedModel, see `keras_vae.export_model`.

        Returns:
            dict of name to (function, list of `tf.TensorSpec`).
        """
        x = tf.TensorSpec((None, None, *self.event_shape), "float32", name="x")
        seed = tf.TensorSpec((2,), "int32", name="seed")
        num_steps = tf.TensorSpec((), "int32", name="num_steps")
        dt = tf.TensorSpec((), "int32", name="dt")

        def belief(x):
            return {"belief": self.belief(x)}

        def rollout(x, num_steps, seed):
            return {"frames": self.rollout(x, num_steps, seed=seed)[:, 0]}

        def jump(x, dt, seed):
            return {"frames": self.jump(x, dt, seed=seed)[:, 0]}

        signatures = {
            "serving_default": (belief, [x]),
            "belief": (belief, [x]),
            "rollout": (rollout, [x, num_steps, seed]),
        }
        if self.condition_on_jump or len(set(self.jump_range)) == 1:
            signatures["jump"] = (jump, [x, dt, seed])
        return signatures


def _parts(x):
    """Sequences and their mask, None if all steps count."""
    if not isinstance(x, dict):
        return x, None
    if set(x) - {"mask"} != {"x"}:
        raise ValueError(
            "`x` must be an array, or a dict of 'x' and 'mask'. "
            f"Received: {sorted(x)}"
        )
    return x["x"], x.get("mask")


def _checked_lengths(mask, x):
    """Number of steps of each sequence, if the mask is True up to there."""
    mask = np.asarray(mask).astype(bool)
    if mask.shape != x.shape[:2]:
        raise ValueError(
            f"`mask` must have shape {x.shape[:2]}, as the steps of `x`. "
            f"Received: mask of shape {mask.shape}"
        )
    lengths = mask.sum(axis=1)
    if not np.array_equal(mask, np.arange(x.shape[1]) < lengths[:, None]):
        raise ValueError(
            "`mask` must be True up to the end of each sequence, and False "
            "after it. Received: a mask with gaps"
        )
    return lengths


def _integers(noise, below):
    """Uniform integers from 0 to below - 1, one for each row."""
    u = noise.uniform([tf.shape(below)[0]])
    drawn = tf.cast(u * tf.cast(below, "float32"), "int32")
    # Rounding may give `below` itself.
    return tf.maximum(tf.minimum(drawn, below - 1), 0)
