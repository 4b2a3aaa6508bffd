from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae import random
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.models import specs
from keras_vae.models.base import TermModel
from keras_vae.models.pixel_snail import PixelSNAIL
from keras_vae.models.vq_vae import VQVAE
from keras_vae.models.vq_vae2 import VQVAE2
from keras_vae.typing import ExportSignature
from keras_vae.typing import Scalar
from keras_vae.typing import Seed
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class VQGenerator(TermModel):
    """A VQ-VAE and the learned prior of its codes, as one generative model.

    p(x, z) = p(x | z) p(z_L) prod_{l<L} p(z_l | z_{l+1})
    neg_elbo = reconstruction_loss + kl_loss >= -log p(x)
    kl_loss = -log p(z) at the codes z of x

    Its parts are trained before, one after the other; it samples, evaluates
    and is exported. Where priors are class-conditional, `code_log_prob` takes
    the labels and `evaluate`, which has none, is an error.

    Args:
        vq_vae: `keras_vae.VQVAE` or `keras_vae.VQVAE2`, built.
        priors: `keras_vae.PixelSNAIL`, or a list of them by level, bottom
            first: each is conditional on the codes of the level above, the
            last is not.
        **kwargs: `seed`, `name`, `dtype`.

    Call arguments:
        x: float tensor (batch, *event).

    Input shape:
        (batch, *event)

    Output shape:
        (batch, *event), the reconstruction

    Raises:
        ValueError: if there is not one prior for each level, or one of them
            is over codes of another shape or number.

    Example:
    >>> encoder = keras_vae.networks.residual_encoder((8, 8, 1), 4)
    >>> decoder = keras_vae.networks.residual_decoder((2, 2, 4), (8, 8, 1))
    >>> vq_vae = keras_vae.VQVAE(encoder, decoder, 16, embedding_dim=4)
    >>> vq_vae.build((None, 8, 8, 1))
    >>> prior = keras_vae.PixelSNAIL((2, 2), 16, num_heads=1)
    >>> model = keras_vae.VQGenerator(vq_vae, prior)
    >>> model.sample(3, seed=0).shape
    TensorShape([3, 8, 8, 1])

    Reference:
        van den Oord, Vinyals, Kavukcuoglu, 2017, section 3.3; Razavi, van den
        Oord, Vinyals, 2019, section 3.2.
    """

    def __init__(
        self,
        vq_vae: VQVAE | VQVAE2,
        priors: PixelSNAIL | Sequence[PixelSNAIL],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.vq_vae = vq_vae
        self.priors = priors
        if not vq_vae.built:
            raise ValueError(
                f"`vq_vae` must be built and trained. Received: vq_vae={vq_vae}"
            )
        self._check_priors()
        self.add_term("reconstruction_loss", elbo=True)
        self.add_term("kl_loss", elbo=True)
        self.build((None, *vq_vae.event_shape))

    def _levels(self):
        if isinstance(self.priors, keras.Model):
            return [self.priors]
        return list(self.priors)

    def _check_priors(self):
        shapes, priors = self.vq_vae.code_shapes(), self._levels()
        if len(priors) != len(shapes):
            raise ValueError(
                f"`priors` must hold {len(shapes)} models, one for each "
                f"level. Received: {len(priors)} priors"
            )
        quantizers = self.vq_vae.quantizers
        for level, prior in enumerate(priors):
            shape, size = shapes[level], quantizers[level].num_embeddings
            if tuple(prior.shape) != tuple(shape) or (
                prior.num_embeddings != size
            ):
                raise ValueError(
                    f"The prior of level {level + 1} must be over {size} "
                    f"codes of shape {tuple(shape)}. Received: a prior over "
                    f"{prior.num_embeddings} of shape {tuple(prior.shape)}"
                )
            if prior.conditional != (level + 1 < len(priors)):
                raise ValueError(
                    "Every prior but the last must be conditional, the last "
                    f"must not. Received: conditional={prior.conditional} at "
                    f"level {level + 1} of {len(priors)}"
                )

    def build(self, input_shape: Shape) -> None:
        for prior in self._levels():
            if not prior.built:
                prior.build((None, *prior.shape))

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.vq_vae.event_shape

    @property
    def likelihood(self) -> Likelihood:
        """p(x | z)."""
        return self.vq_vae.likelihood

    def check_data(self, x: Any, y: Any = None) -> None:
        self._check_label(None)
        self.vq_vae.check_data(x, y)

    # === Objective ===

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        indices = keras.tree.flatten(self.vq_vae.encode_indices(x))
        codes = self.vq_vae.encode(x)
        params = self.vq_vae.decoder(codes, training=False)
        target = x if y is None else y
        return {
            "reconstruction_loss": -self.likelihood.log_prob(params, target),
            "kl_loss": -self.code_log_prob(indices),
        }

    def code_log_prob(
        self, indices: Sequence[TensorLike], label: TensorLike | None = None
    ) -> tf.Tensor:
        """log p(z) of codes, in nats: float32 tensor (batch,).

        Args:
            indices: list of integer tensors (batch, *positions), bottom first.
            label: None, or integers (batch,) for class-conditional priors.

        Raises:
            ValueError: if priors are class-conditional and there is no label.
        """
        self._check_label(label)
        total = 0.0
        above = [*indices[1:], None]
        for prior, level, condition in zip(self._levels(), indices, above):
            inputs = {"indices": level}
            if condition is not None:
                inputs["condition"] = condition
            if prior.num_classes is not None:
                inputs["label"] = label
            total += prior.log_prob(inputs if len(inputs) > 1 else level)
        return total

    def _check_label(self, label):
        classes = [prior.num_classes for prior in self._levels()]
        if label is None and any(number is not None for number in classes):
            raise ValueError(
                "Class-conditional priors need a `label`, which "
                "`code_log_prob` takes; `fit` and `evaluate` have none. "
                f"Received: label=None, priors with num_classes={classes}"
            )

    def call(self, x: TensorLike, training: bool = False) -> tf.Tensor:
        return self.vq_vae.reconstruct(x)

    # === Generation ===

    def sample_indices(
        self,
        num: Scalar,
        seed: Seed | None = None,
        temperature: Scalar = 1.0,
        label: TensorLike | int | None = None,
    ) -> list[tf.Tensor]:
        """Codes drawn from the priors, from the top down.

        Args:
            num: int or scalar int tensor.
            seed: None, int or integer tensor (2,); the same seed gives the
                same codes, None fresh ones.
            temperature: float > 0, divides the logits.
            label: None, or integers (num,) for class-conditional priors.

        Returns:
            list of int32 tensors (num, *positions), bottom first.
        """
        seed = random.as_seed(seed)
        levels: list[tf.Tensor] = []
        for number, prior in enumerate(reversed(self._levels())):
            options = {"condition": levels[0]} if levels else {}
            if prior.num_classes is not None:
                options["label"] = label
            drawn = prior.sample(
                num, random.fold_in(seed, number), temperature, **options
            )
            levels.insert(0, drawn)
        return levels

    def sample(
        self,
        num: Scalar,
        seed: Seed | None = None,
        temperature: Scalar = 1.0,
        label: TensorLike | int | None = None,
    ) -> tf.Tensor:
        """Means of p(x | z) for z drawn from the priors.

        Args:
            num, seed, temperature, label: as in `sample_indices`.

        Returns:
            float32 tensor (num, *event_shape).
        """
        levels = self.sample_indices(num, seed, temperature, label)
        if len(levels) == 1:
            return self.vq_vae.decode_indices(levels[0])
        return self.vq_vae.decode_indices(levels)

    def export_signatures(self) -> dict[str, ExportSignature]:
        """Named functions for a SavedModel, see `keras_vae.export_model`.

        Returns:
            dict of name to (function, list of `tf.TensorSpec`). Where priors
            are class-conditional, `label` (num,) is an input too.
        """
        inputs = [specs.NUM, specs.SEED]
        if any(prior.num_classes is not None for prior in self._levels()):
            inputs.append(tf.TensorSpec((None,), "int32", name="label"))

        def sample(num, seed, label=None):
            return {"samples": self.sample(num, seed, label=label)}

        return {"serving_default": (sample, inputs), "sample": (sample, inputs)}
