"""What models of sequences with a hidden state have in common."""

import functools
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import data_checks
from keras_vae import likelihoods
from keras_vae import random
from keras_vae.arguments import positive_int
from keras_vae.arguments import positive_ints
from keras_vae.layers.gated_normal import GatedNormal
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.models import architecture
from keras_vae.models import markov_chain
from keras_vae.models.base import TermModel
from keras_vae.models.compiled_functions import CompiledFunctions
from keras_vae.random import Noise
from keras_vae.typing import Array
from keras_vae.typing import Network
from keras_vae.typing import Scalar
from keras_vae.typing import Seed
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class StateSpaceModel(TermModel):
    """Base of models with beliefs b_t = RNN(b_{t-1}, x_t) and states z_t.

    A state has L levels, which are drawn from the top by lists of
    `GatedNormal`, bottom first: `belief_blocks`, that give the state of a
    step, `transition_blocks`, that give the next one, and others. A subclass
    must override `compute_terms`, `block_widths` and `transit`; it may
    override `present` and `check_lengths`.

    Args:
        belief_network: Keras RNN layer; the model makes it return sequences
            and states.
        decoder: Keras model from a state to raw likelihood parameters.
        latent_dims: list of ints, size of each level, bottom first.
        preprocessor: None, or Keras model from one step to features.
        hidden_units: int >= 1, units of the blocks.
        likelihood: `Likelihood` or its name.
        **kwargs: `seed`, `name`, `dtype`.
    """

    #: Kinds of blocks; the attributes are `<kind>_blocks`.
    blocks: tuple[str, ...] = ("belief", "transition")

    def __init__(
        self,
        belief_network: keras.layers.Layer,
        decoder: Network,
        latent_dims: Sequence[int],
        preprocessor: Network | None,
        hidden_units: int,
        likelihood: Likelihood | str,
        **kwargs: Any,
    ) -> None:
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
        architecture.check_activation(decoder, self.likelihood)
        seeds = random.spawn_seeds(self.seed, len(self.blocks))
        for kind, seed in zip(self.blocks, seeds):
            setattr(self, f"{kind}_blocks", self._blocks(kind, seed))
        self._event_shape: tuple[int, ...] | None = None
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

    def block_widths(self, belief: int, state: int) -> dict[str, int]:
        """Widths of what the blocks of each kind are given.

        Args:
            belief: int, size of a belief.
            state: int, size of a state, all levels.

        Returns:
            dict of the names of the lists of blocks to ints.
        """
        raise NotImplementedError

    def check_lengths(self, lengths: Array) -> None:
        """Raises a ValueError if there are too few steps in a sequence."""

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one step; known once the model is built."""
        if self._event_shape is None:
            raise ValueError(
                f"{type(self).__name__} is not built: call it on a batch, or "
                "`build((None, None, *event_shape))`. Received: built=False"
            )
        return self._event_shape

    def build(self, input_shape: Shape | dict[str, Shape]) -> None:
        if isinstance(input_shape, dict):
            input_shape = input_shape["x"]
        self._event_shape = tuple(input_shape)[2:]
        step = (None, *self._event_shape)
        if self.preprocessor is not None and not self.preprocessor.built:
            self.preprocessor.build(step)
        features = (None, None, self._features_size())
        belief = architecture.build(self.belief_network, features)[0][-1]
        state = sum(self.latent_dims)
        above = [*self.latent_dims[1:], 0]
        for kind, width in self.block_widths(belief, state).items():
            for block, more in zip(getattr(self, f"{kind}_blocks"), above):
                if not block.built:
                    block.build((None, width + more))
        known = architecture.event_shape(self.decoder)
        if known is not None and tuple(known) != (state,):
            raise ValueError(
                f"`decoder` must take states of shape ({state},), all levels "
                f"concatenated. Received: decoder for {tuple(known)}"
            )
        params = architecture.build(self.decoder, (None, state))
        architecture.check_params(
            tuple(params)[1:], self._event_shape, self.likelihood
        )
        if not self.likelihood.built:
            self.likelihood.build(tuple(params))

    def check_data(self, x: Any, y: Any = None) -> None:
        data_checks.check_no_target(self, y)
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
        data_checks.check_floats(x, "x")
        lengths = np.full(len(x), x.shape[1])
        if mask is not None:
            lengths = _checked_lengths(mask, x)
        self.check_lengths(lengths)
        self.likelihood.validate(x.reshape(-1, *x.shape[2:]), "x")

    def sequences(
        self, x: TensorLike | dict[str, TensorLike]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """x as a tensor, and the number of steps of each sequence."""
        x, mask = _parts(x)
        x = tf.cast(tf.convert_to_tensor(x), "float32")
        if not self.built:
            self.build(x.shape)
        if mask is None:
            return x, tf.fill(tf.shape(x)[:1], tf.shape(x)[1])
        mask = tf.cast(tf.convert_to_tensor(mask), "int32")
        return x, tf.reduce_sum(mask, axis=1)

    # === Distributions of a state ===

    def draw_levels(
        self,
        blocks: Sequence[keras.layers.Layer],
        context: tf.Tensor,
        noise: Noise | None = None,
    ) -> tuple[list[tf.Tensor], list[tfd.Distribution]]:
        """Samples, or means without noise, and their distributions.

        Args:
            blocks: list of `GatedNormal`, bottom first.
            context: tensor (rows, channels).
            noise: `keras_vae.random.Noise` or None.

        Returns:
            (list of z, list of tfd), bottom first.
        """
        codes: list[tf.Tensor] = []
        distributions: list[tfd.Distribution] = []
        for block in reversed(blocks):
            inputs = tf.concat([context, *codes[:1]], axis=-1)
            distributions.insert(0, markov_chain.normal(*block(inputs)))
            codes.insert(0, markov_chain.draw(distributions[0], noise))
        return codes, distributions

    def given_levels(
        self,
        blocks: Sequence[keras.layers.Layer],
        context: tf.Tensor,
        codes: Sequence[tf.Tensor],
    ) -> list[tfd.Distribution]:
        """Distributions of each level, given the codes above it.

        Args:
            blocks: list of `GatedNormal`, bottom first.
            context: tensor (rows, channels).
            codes: list of tensors (rows, size), bottom first.
        """
        return [
            markov_chain.normal(
                *block(tf.concat([context, *codes[n + 1 : n + 2]], axis=-1))
            )
            for n, block in enumerate(blocks)
        ]

    def beliefs_of(
        self,
        x: tf.Tensor,
        state: Any = None,
        training: bool = False,
    ) -> tuple[tf.Tensor, Any]:
        """Beliefs (batch, steps, units), and the state to go on from.

        Args:
            x: float32 tensor (batch, steps, *event_shape).
            state: None, or what an earlier call gave.
            training: bool.
        """
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

    # === Beliefs and steps ===

    def belief(
        self,
        x: TensorLike | dict[str, TensorLike],
        state: Any = None,
        return_state: bool = False,
    ) -> tf.Tensor | tuple[tf.Tensor, Any]:
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
        x, _ = self.sequences(x)
        beliefs, state = self.beliefs_of(x, state)
        return (beliefs, state) if return_state else beliefs

    def decode(self, z: TensorLike) -> tf.Tensor:
        """Mean of p_D(x_t | z_t): tensor (batch, *event_shape).

        Args:
            z: tensor (batch, sum(latent_dims)), all levels, bottom first.
        """
        return self.likelihood.mean(self.decoder(z, training=False))

    # === The future ===

    def transit(
        self, z: tf.Tensor, noise: Noise, jump: tf.Tensor | None = None
    ) -> tf.Tensor:
        """A draw of the state after this one: (rows, sum(latent_dims)).

        Args:
            z: tensor (rows, sum(latent_dims)), all levels, bottom first.
            noise: `keras_vae.random.Noise`.
            jump: None, or int tensor (rows,), steps to the one drawn.
        """
        raise NotImplementedError

    def present(
        self,
        x: TensorLike | dict[str, TensorLike],
        num_samples: int,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        """What `belief_blocks` are given after the last step of sequences.

        Args:
            x: tensor (batch, steps, *event_shape), or a dict with a mask.
            num_samples: int, rows for each sequence.
            seed: integer tensor (2,).

        Returns:
            tensor (batch * num_samples, width).
        """
        x, lengths = self.sequences(x)
        beliefs, _ = self.beliefs_of(x)
        last = tf.gather(beliefs, lengths - 1, axis=1, batch_dims=1)
        return tf.repeat(last, num_samples, axis=0)

    def frame(self, z: tf.Tensor, noise: Noise, observe: bool) -> tf.Tensor:
        """Mean of p_D at states, or a draw of it: (rows, *event_shape)."""
        if not observe:
            return self.decode(z)
        params = self.decoder(z, training=False)
        drawn = self.likelihood.distribution(params).sample(
            seed=noise.next_seed()
        )
        return tf.cast(drawn, "float32")

    def rollout(
        self,
        x: TensorLike | dict[str, TensorLike],
        num_steps: Scalar,
        num_samples: int = 1,
        seed: Seed | None = None,
        observe: bool = False,
    ) -> tf.Tensor:
        """Frames after the end of sequences, step by step.

        Args:
            x: tensor (batch, steps, *event_shape), or a dict with a mask.
            num_steps: int >= 1.
            num_samples: int >= 1, futures of each sequence.
            seed: None, int or integer tensor (2,); the same seed gives the
                same futures, None fresh ones.
            observe: bool, whether frames are draws of p_D, such as an
                instrument would give, in the place of its means.

        Returns:
            float32 tensor (batch, num_samples, num_steps, *event_shape).

        Raises:
            ValueError: if `num_steps` or `num_samples` is not positive, or
                the model was not trained on single steps.
        """
        if not tf.is_tensor(num_steps):
            positive_int("num_steps", num_steps)
        return self.future(
            self._rollout, x, num_steps, num_samples, seed, observe
        )

    def future(
        self,
        function: Callable[..., tf.Tensor],
        x: TensorLike | dict[str, TensorLike],
        amount: Scalar,
        num_samples: int,
        seed: Seed,
        observe: bool,
    ) -> tf.Tensor:
        """Runs a function of (present, amount, seed, observe).

        Args:
            function: callable, gives frames of each row of `present`.
            x, num_samples, seed, observe: as in `rollout`.
            amount: int, what the function takes: steps, say.

        Returns:
            float32 tensor (batch, num_samples, ...).
        """
        num_samples = positive_int("num_samples", num_samples)
        seed = tf.cast(random.as_seed(seed), "int32")
        present = self.present(x, num_samples, seed)
        specs = [
            tf.TensorSpec((None, present.shape[-1]), "float32"),
            tf.TensorSpec((), "int32"),
            tf.TensorSpec((2,), "int32"),
        ]
        frames = self._functions.run(
            f"{function.__name__}_{observe}",
            functools.partial(function, observe=observe),
            specs,
            [present, tf.cast(amount, "int32"), seed],
        )
        shape = tf.shape(frames)
        leading = [shape[0] // num_samples, num_samples]
        return tf.reshape(frames, tf.concat([leading, shape[1:]], axis=0))

    @tf.autograph.experimental.do_not_convert
    def _rollout(self, present, num_steps, seed, observe):
        noise = random.Noise(seed)
        start, _ = self.draw_levels(self.belief_blocks, present, noise)
        frames = tf.TensorArray(
            "float32", num_steps, element_shape=(None, *self.event_shape)
        )

        def step(index, z, frames):
            drawn = noise.fold(index)
            z = self.transit(z, drawn)
            frame = self.frame(z, drawn, observe)
            return index + 1, z, frames.write(index, frame)

        state = tf.concat(start, axis=-1)
        *_, frames = tf.while_loop(
            lambda index, *_: index < num_steps,
            step,
            (0, state, frames),
            parallel_iterations=1,
        )
        rank = 1 + len(self.event_shape)
        return tf.transpose(frames.stack(), [1, 0, *range(2, rank + 1)])


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
