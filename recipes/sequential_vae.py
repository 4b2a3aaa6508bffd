"""The models that a TD-VAE is compared with: a bound of every step."""

import keras
import tensorflow as tf

from keras_vae import random
from keras_vae.models import markov_chain
from keras_vae.models.state_space_model import StateSpaceModel

INFERENCE = ("filtering", "mean_field")


@keras.saving.register_keras_serializable(package="keras_vae.recipes")
class SequentialVAE(StateSpaceModel):
    """State space model trained on the ELBO of whole sequences.

    p(x_1..T, z_1..T) = prod_t p_T(z_t | z_{t-1}) p_D(x_t | z_t),  z_0 = 0
    b_t = RNN(b_{t-1}, x_t)
    filtering:   q(z_t | z_{t-1}, b_t)
    mean_field:  q(z_t | b_t)
    reconstruction_loss = -sum_t log p_D(x_t | z_t)
    kl_loss = sum_t KL(q(z_t | ..) || p_T(. | z_{t-1})), in closed form

    Networks are those of `keras_vae.TDVAE`, without the smoothing one.

    Args:
        belief_network: Keras RNN layer.
        decoder: Keras model from a state (batch, sum(latent_dims)) to raw
            likelihood parameters.
        latent_dims: list of ints, size of each level, bottom first.
        inference: "filtering" or "mean_field".
        preprocessor: None, or Keras model from one step to features.
        hidden_units: int >= 1, units of all conditional distributions.
        likelihood: `Likelihood` or its name.
        **kwargs: `seed`, `name`, `dtype`.

    Raises:
        ValueError: if an argument is out of range.

    Reference:
        Gregor, Papamakarios, Besse, Buesing, Weber, 2019, section 5.1.
    """

    def __init__(
        self,
        belief_network,
        decoder,
        latent_dims,
        inference="filtering",
        preprocessor=None,
        hidden_units=50,
        likelihood="bernoulli",
        **kwargs,
    ):
        super().__init__(
            belief_network,
            decoder,
            latent_dims,
            preprocessor,
            hidden_units,
            likelihood,
            **kwargs,
        )
        if inference not in INFERENCE:
            raise ValueError(
                f"`inference` must be one of {list(INFERENCE)}. "
                f"Received: inference={inference!r}"
            )
        self.inference = inference
        self.add_term("reconstruction_loss", elbo=True)
        self.add_term("kl_loss", elbo=True)

    def block_widths(self, belief, state):
        before = state if self.inference == "filtering" else 0
        return {"belief": belief + before, "transition": state}

    # === Objective ===

    def compute_terms(self, x, y, training):
        noise = random.current_noise()
        terms, mask = self._step_terms(x, noise, training)
        return {
            name: tf.reduce_sum(values * mask, axis=1)
            for name, values in terms.items()
        }

    def elbo_steps(self, x, seed=None):
        """Share of each step in the bound of log p(x), from one draw.

        Args:
            x: tensor (batch, steps, *event_shape).
            seed: None, int or integer tensor (2,).

        Returns:
            float32 tensor (batch, steps), nats.
        """
        noise = random.Noise(tf.cast(random.as_seed(seed), "int32"))
        terms, _ = self._step_terms(x, noise, training=False)
        return -tf.add_n(list(terms.values()))

    def _step_terms(self, x, noise, training):
        """Terms of each step (batch, steps), and which steps count."""
        x, lengths = self.sequences(x)
        beliefs, _ = self.beliefs_of(x, None, training)
        batch, steps = tf.unstack(tf.shape(x)[:2])
        z = self._infer(beliefs, noise)
        before = tf.pad(z[:, :-1], [[0, 0], [1, 0], [0, 0]])
        context = self._context(beliefs, before)

        def rows(values):
            return tf.reshape(values, [batch * steps, values.shape[-1]])

        codes = tf.split(rows(z), self.latent_dims, axis=-1)
        posterior = self.given_levels(self.belief_blocks, rows(context), codes)
        prior = self.given_levels(self.transition_blocks, rows(before), codes)
        kl = tf.add_n(
            [
                markov_chain.Level(*level, exact=True).kl()
                for level in zip(codes, posterior, prior)
            ]
        )
        params = self.decoder(rows(z), training=training)
        target = tf.reshape(x, [batch * steps, *self.event_shape])
        log_prob = self.likelihood.log_prob(params, target, training)
        terms = {"reconstruction_loss": -log_prob, "kl_loss": kl}
        return {
            name: tf.reshape(value, [batch, steps])
            for name, value in terms.items()
        }, tf.sequence_mask(lengths, steps, "float32")

    def _context(self, beliefs, before):
        if self.inference == "mean_field":
            return beliefs
        return tf.concat([beliefs, before], axis=-1)

    @tf.autograph.experimental.do_not_convert
    def _infer(self, beliefs, noise):
        """States of all steps, means without noise.

        Returns:
            tensor (batch, steps, sum(latent_dims)).
        """
        batch, steps = tf.unstack(tf.shape(beliefs)[:2])
        width = sum(self.latent_dims)
        if self.inference == "mean_field":
            flat = tf.reshape(beliefs, [batch * steps, beliefs.shape[-1]])
            codes, _ = self.draw_levels(self.belief_blocks, flat, noise)
            return tf.reshape(tf.concat(codes, axis=-1), [batch, steps, width])
        by_step = tf.transpose(beliefs, [1, 0, 2])
        states = tf.TensorArray("float32", steps, element_shape=(None, width))

        def step(index, z, states):
            context = tf.concat([by_step[index], z], axis=-1)
            drawn = None if noise is None else noise.fold(index)
            codes, _ = self.draw_levels(self.belief_blocks, context, drawn)
            z = tf.concat(codes, axis=-1)
            return index + 1, z, states.write(index, z)

        *_, states = tf.while_loop(
            lambda index, *_: index < steps,
            step,
            (0, tf.zeros([batch, width]), states),
            maximum_iterations=steps,
        )
        return tf.transpose(states.stack(), [1, 0, 2])

    # === Use ===

    def call(self, x, training=False):
        x, _ = self.sequences(x)
        beliefs, _ = self.beliefs_of(x)
        z = self._infer(beliefs, None)
        frames = self.decode(tf.reshape(z, [-1, z.shape[-1]]))
        return tf.reshape(frames, tf.shape(x))

    def transit(self, z, noise, jump=None):
        codes, _ = self.draw_levels(self.transition_blocks, z, noise)
        return tf.concat(codes, axis=-1)

    def present(self, x, num_samples, seed):
        x, lengths = self.sequences(x)
        beliefs = tf.repeat(self.beliefs_of(x)[0], num_samples, axis=0)
        last = tf.repeat(lengths, num_samples) - 1
        before = tf.pad(
            self._infer(beliefs, random.Noise(seed))[:, :-1],
            [[0, 0], [1, 0], [0, 0]],
        )
        context = self._context(beliefs, before)
        return tf.gather(context, last, axis=1, batch_dims=1)
