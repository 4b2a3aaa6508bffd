import math
import numbers
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled

from keras_vae import data_checks
from keras_vae import likelihoods
from keras_vae import random
from keras_vae.arguments import non_negative
from keras_vae.arguments import positive_int
from keras_vae.arguments import positive_ints
from keras_vae.arguments import sample_count
from keras_vae.layers.cache import write
from keras_vae.layers.causal_conv2d import CausalConv2D
from keras_vae.layers.gated_residual import GatedResidual
from keras_vae.layers.pixel_snail_block import PixelSNAILBlock
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.models import specs
from keras_vae.models.base import TermModel
from keras_vae.models.compiled_functions import CompiledFunctions
from keras_vae.models.pixel_snail_inputs import Input
from keras_vae.models.pixel_snail_inputs import by_name
from keras_vae.models.pixel_snail_inputs import is_concrete
from keras_vae.models.pixel_snail_inputs import repeated
from keras_vae.models.pixel_snail_sampling import draw_code
from keras_vae.models.pixel_snail_sampling import draw_pixel
from keras_vae.typing import ExportSignature
from keras_vae.typing import Scalar
from keras_vae.typing import Seed
from keras_vae.typing import TensorLike

# Fewer positions are sampled sooner than XLA has compiled the loop.
_POSITIONS_WORTH_XLA = 2**14


@keras.saving.register_keras_serializable(package="keras_vae")
class PixelSNAIL(TermModel):
    """Autoregressive model of codes or pixels: convolutions and attention.

    log p(x) = sum_i log p(x_i | x_{j < i}),  i in raster order
    loss = neg_log_likelihood = -log p(x)

    Each p(x_i | ...) is a softmax over codes, or the likelihood of a pixel.
    Samples are drawn position by position; what earlier positions computed is
    kept, so that a step costs one position and not the whole image.

    Args:
        shape: (height, width) of an array of codes, or (height, width,
            channels) of an image where a likelihood is given.
        num_embeddings: int >= 2, number of codes; None for images.
        num_heads: int, heads of the attention.
        num_classes: None, or int: p(x | label).
        conditional: bool: p(x | condition), another array of codes.
        filters: int, channels of hidden features.
        num_blocks: int, blocks of convolutions and attention.
        num_residual: int, residual units of a block.
        kernel_size: int, or pair of ints, of the causal convolutions.
        anchor: "corner" or "center": where the current position is in the
            last row of the kernels, see `layers.CausalConv2D`. Corners cost
            least; without attention, centred kernels of odd size see more.
        attention: bool. False: convolutions only.
        key_dim: int, size of queries and keys of one head.
        value_dim: int, size of the values of all heads; a multiple of
            `num_heads`.
        num_output_residual: int >= 0, residual units of kernels of size 1
            before the output.
        dropout: float in [0, 1), in all residual units, in training.
        condition_shape: None, or (height, width) of the condition, which
            divide those of `shape`. None: those of `shape`.
        condition_embeddings: None, or int >= 2, number of codes of the
            condition. None: `num_embeddings`.
        num_condition_blocks: int >= 0, residual units applied to the condition.
        likelihood: None, or `Likelihood` of images or its name, such as
            `likelihoods.DiscretizedLogisticMixture(10)`.
        **kwargs: `seed`, `name`, `dtype`.

    Call arguments:
        x: integer tensor (batch, height, width), or float tensor (batch,
            height, width, channels) in [0, 1] where a likelihood is given.
            With label or condition a dict of "indices" (of images: "x"),
            "label" (batch,) and "condition" (batch, *condition_shape).

    Input shape:
        (batch, *shape), or as said above

    Output shape:
        (batch, height, width, num_embeddings), logits; or (batch, height,
        width, parameters of the likelihood)

    Raises:
        ValueError: if an argument is out of range or they do not fit.

    Example:
    >>> model = keras_vae.PixelSNAIL((7, 7), 32, filters=16, num_blocks=1)
    >>> indices = np.random.default_rng(0).integers(0, 32, (10, 7, 7))
    >>> model(indices).shape, model.log_prob(indices).shape
    (TensorShape([10, 7, 7, 32]), TensorShape([10]))
    >>> model.sample(2, seed=0).shape
    TensorShape([2, 7, 7])

    Reference:
        Chen, Mishra, Rohaninejad, Abbeel, 2018; as a prior over codes:
        Razavi, van den Oord, Vinyals, 2019, section 3.2.
    """

    def __init__(
        self,
        shape: Sequence[int],
        num_embeddings: int | None = None,
        num_heads: int = 8,
        num_classes: int | None = None,
        conditional: bool = False,
        *,
        filters: int = 64,
        num_blocks: int = 2,
        num_residual: int = 4,
        kernel_size: int | Sequence[int] = 2,
        anchor: str = "corner",
        attention: bool = True,
        key_dim: int = 16,
        value_dim: int = 128,
        num_output_residual: int = 0,
        dropout: float = 0.0,
        condition_shape: Sequence[int] | None = None,
        condition_embeddings: int | None = None,
        num_condition_blocks: int = 3,
        likelihood: Likelihood | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.likelihood: Likelihood | None = (
            None if likelihood is None else likelihoods.get(likelihood)
        )
        length = 2 if likelihood is None else 3
        self.shape = positive_ints("shape", shape, length)
        self.num_embeddings = num_embeddings
        self.num_heads = positive_int("num_heads", num_heads)
        self.num_classes = num_classes
        self.conditional = conditional
        self.filters = positive_int("filters", filters)
        self.num_blocks = positive_int("num_blocks", num_blocks)
        self.num_residual = num_residual
        self.kernel_size = kernel_size
        self.anchor = anchor
        self.attention = attention
        self.key_dim = key_dim
        self.value_dim = value_dim
        self.num_output_residual = positive_int(
            "num_output_residual", num_output_residual, at_least=0
        )
        self.dropout = dropout
        self.condition_shape = condition_shape
        self.condition_embeddings = condition_embeddings
        self.num_condition_blocks = positive_int(
            "num_condition_blocks", num_condition_blocks, at_least=0
        )
        self._inputs = self._make_inputs()
        self._make_layers()
        self.add_term("neg_log_likelihood", elbo=True)
        if self.likelihood is None:
            self.add_term("nats_per_code", weight=0.0)
        elif self.likelihood.discrete:
            self.add_term("bits_per_dim", weight=0.0)
        self._functions = CompiledFunctions()
        self.build((None, *self.shape))

    def _make_inputs(self):
        """Checks the arguments that say what the data are."""
        if self.likelihood is None:
            positive_int("num_embeddings", self.num_embeddings, at_least=2)
            inputs = [Input("indices", self.shape, self.num_embeddings)]
        else:
            if self.num_embeddings is not None:
                raise ValueError(
                    "A model of codes has `num_embeddings`, a model of images "
                    "has a `likelihood`. Received: "
                    f"num_embeddings={self.num_embeddings}, "
                    f"likelihood={self.likelihood}"
                )
            if not self.likelihood.normalized:
                raise ValueError(
                    "`likelihood` must be normalised, to be drawn from. "
                    f"Received: likelihood={self.likelihood}"
                )
            inputs = [Input("x", self.shape, None)]
        if self.num_classes is not None:
            positive_int("num_classes", self.num_classes)
            inputs.append(Input("label", (), self.num_classes))
        if self.conditional:
            inputs.append(self._condition_input())
        elif (self.condition_shape, self.condition_embeddings) != (None, None):
            raise ValueError(
                "`condition_shape` and `condition_embeddings` describe the "
                "condition of a model with conditional=True. Received: "
                f"conditional={self.conditional}, "
                f"condition_shape={self.condition_shape}, "
                f"condition_embeddings={self.condition_embeddings}"
            )
        return inputs

    def _condition_input(self):
        size, num_codes = self.shape[:2], self.num_embeddings
        if self.condition_shape is not None:
            self.condition_shape = positive_ints(
                "condition_shape", self.condition_shape, 2
            )
        if self.condition_embeddings is not None:
            num_codes = self.condition_embeddings
        positive_int("condition_embeddings", num_codes, at_least=2)
        shape = self.condition_shape or size
        if any(large % small for large, small in zip(size, shape)):
            raise ValueError(
                "`condition_shape` must divide the height and width of "
                f"`shape`. Received: condition_shape={shape}, "
                f"shape={self.shape}"
            )
        return Input("condition", shape, num_codes)

    # === Network ===

    def _make_layers(self):
        options = {"dtype": self.dtype_policy}
        if self.likelihood is None:
            num_outputs = self.num_embeddings
            self._embedding = keras.layers.Embedding(
                num_outputs, self.filters, name="embedding", **options
            )
        else:
            num_outputs = self._num_params()
        # The taps of the paper's first layer, for kernels of size 2.
        rows, columns = np.broadcast_to(self.kernel_size, 2).tolist()
        self._stem = CausalConv2D(
            self.filters,
            (rows, columns + (columns + 1) % 2),
            "center",
            include_current=False,
            name="stem",
            **options,
        )
        self._place = keras.layers.Dense(
            self.filters, use_bias=False, name="place", **options
        )
        self._blocks = [
            PixelSNAILBlock(
                self.filters,
                self.num_residual,
                self.kernel_size,
                self.anchor,
                self.num_heads if self.attention else 0,
                self.key_dim,
                self.value_dim,
                self.dropout,
                name=f"block_{i}",
                **options,
            )
            for i in range(self.num_blocks)
        ]
        self._output_units = [
            GatedResidual(
                self.filters, dropout=self.dropout, name=f"out_{i}", **options
            )
            for i in range(self.num_output_residual)
        ]
        self._output = keras.layers.Dense(
            num_outputs, dtype="float32", name="output"
        )
        if self.num_classes is not None:
            self._label_embedding = keras.layers.Embedding(
                self.num_classes, self.filters, name="label", **options
            )
        if self.conditional:
            self._condition_embedding = keras.layers.Embedding(
                self._inputs[-1].num_values,
                self.filters,
                name="condition",
                **options,
            )
            self._condition_units = [
                GatedResidual(
                    self.filters,
                    kernel_size=3,
                    causal=False,
                    dropout=self.dropout,
                    name=f"condition_{i}",
                    **options,
                )
                for i in range(self.num_condition_blocks)
            ]

    def _num_params(self):
        *size, num_params = self.likelihood.params_shape(self.shape)
        if tuple(size) != self.shape[:2]:
            raise ValueError(
                "`likelihood` must have parameters for each pixel. "
                f"Received: likelihood={self.likelihood} with parameters of "
                f"shape {(*size, num_params)} for shape={self.shape}"
            )
        return num_params

    def build(self, input_shape: Any) -> None:
        if self._output.built:
            return
        size = (None, *self.shape[:2])
        features, background = (*size, self.filters), (*size, 2)
        if self.likelihood is None:
            self._embedding.build(size)
            content = (*size, self.filters + 1)
        else:
            content = (*size, self.shape[-1] + 1)
        condition = None
        if self.num_classes is not None:
            self._label_embedding.build((None,))
            condition = features
        if self.conditional:
            shape = (None, *self._inputs[-1].shape)
            self._condition_embedding.build(shape)
            for unit in self._condition_units:
                unit.build((*shape, self.filters))
            condition = features
        self._stem.build(content)
        self._place.build(background)
        for block in self._blocks:
            block.build(
                [features, content, background], condition_shape=condition
            )
        for unit in self._output_units:
            unit.build(features)
        self._output.build(features)
        if self.likelihood is not None:
            params_shape = self.likelihood.params_shape(self.shape)
            self.likelihood.build((None, *params_shape))

    def _content(self, x):
        """What is known of x itself, and ones, which end at its border."""
        if self.likelihood is None:
            content = self._embedding(x)
        else:
            content = tf.cast(2.0 * x - 1.0, self.compute_dtype)
        return tf.concat([content, tf.ones_like(content[..., :1])], axis=-1)

    def _background(self):
        """Coordinates of all positions: (height, width, 2)."""
        axes = [(np.arange(n) - n / 2) / n for n in self.shape[:2]]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        return tf.constant(grid, self.compute_dtype)

    def _given(self, label, condition, training=False):
        """Features of label and condition, (batch, H or 1, W or 1, F)."""
        given = None
        if self.conditional:
            given = self._condition_embedding(condition)
            for unit in self._condition_units:
                given = unit(given, training=training)
            for axis in (1, 2):
                factor = self.shape[axis - 1] // given.shape[axis]
                given = tf.repeat(given, factor, axis=axis)
        if self.num_classes is not None:
            label = tf.reshape(label, [-1, 1, 1])
            label = self._label_embedding(label)
            given = label if given is None else given + label
        return given

    def _features(self, x, training=False):
        """What the stem and each block give: list of (batch, H, W, F)."""
        x = by_name(self._inputs, x)
        for item in self._inputs:
            item.check_static(x[item.name])
        given = self._given(x.get("label"), x.get("condition"), training)
        content = self._content(x[self._inputs[0].name])
        background = self._background()
        features = [self._stem(content) + self._place(background[tf.newaxis])]
        batch = tf.shape(content)[0]
        background = tf.broadcast_to(background, [batch, *background.shape])
        for block in self._blocks:
            features.append(
                block(
                    [features[-1], content, background],
                    condition=given,
                    training=training,
                )
            )
        return features

    def _params(self, x, training=False):
        """Logits, or raw parameters of the likelihood, float32."""
        return self._head(self._features(x, training)[-1], training)

    def _head(self, features, training=False):
        for unit in self._output_units:
            features = unit(features, training=training)
        return self._output(keras.ops.elu(features))

    # === Objective ===

    def check_data(self, x: Any, y: Any = None) -> None:
        data_checks.check_no_target(self, y)
        x = by_name(self._inputs, x)
        for item in self._inputs:
            item.check(x[item.name])
        rows = {item.name: len(x[item.name]) for item in self._inputs}
        if len(set(rows.values())) > 1:
            raise ValueError(
                f"All of {list(rows)} must have as many rows. Received: {rows}"
            )
        if self.likelihood is not None:
            self.likelihood.validate(x["x"], "x")

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        nats = -self._log_prob(x, training)
        terms = {"neg_log_likelihood": nats}
        if "nats_per_code" in self._terms:
            terms["nats_per_code"] = nats / math.prod(self.shape)
        if "bits_per_dim" in self._terms:
            bits = math.prod(self.shape) * math.log(2.0)
            terms["bits_per_dim"] = nats / bits
        return terms

    # AutoGraph has nothing to convert and takes longer than the tracing.
    @tf.autograph.experimental.do_not_convert
    def _log_prob(self, x, training=False):
        params = self._params(x, training)
        x = by_name(self._inputs, x)
        if self.likelihood is not None:
            return self.likelihood.log_prob(params, x["x"], training)
        indices = tf.cast(x["indices"], "int32")
        return -tf.reduce_sum(
            tf.nn.sparse_softmax_cross_entropy_with_logits(indices, params),
            axis=[1, 2],
        )

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.shape

    def log_prob(self, x: TensorLike | dict[str, TensorLike]) -> tf.Tensor:
        """log p(x), or log p(x | label, condition), exact, in nats.

        Args:
            x: as in a call of the model.

        Returns:
            float32 tensor (batch,).
        """
        x = by_name(self._inputs, x)
        x = {name: tf.convert_to_tensor(value) for name, value in x.items()}
        for item in self._inputs:
            item.check(x[item.name])
            x[item.name] = tf.cast(x[item.name], item.dtype)
        if self.likelihood is not None and is_concrete(x["x"]):
            self.likelihood.validate_exact(np.asarray(x["x"]))
        return self._log_prob(x)

    def call(
        self, x: TensorLike | dict[str, TensorLike], training: bool = False
    ) -> tf.Tensor:
        return self._params(x, training)

    # === Generation ===

    def sample(
        self,
        num: Scalar,
        seed: Seed | None = None,
        temperature: Scalar = 1.0,
        label: TensorLike | int | None = None,
        condition: TensorLike | None = None,
        jit_compile: bool | str = "auto",
    ) -> tf.Tensor:
        """Draws from p(x), or from p(x | label, condition).

        Args:
            num: int or scalar int tensor.
            seed: None, int or integer tensor (2,); the same seed gives the
                same samples, None fresh ones.
            temperature: float >= 0: the logits are divided by it; at 0 every
                code is the most probable one. 1 for images.
            label: int, or integers (num,), of a model with classes.
            condition: integers (*condition_shape), or (num,
                *condition_shape), of a conditional model.
            jit_compile: bool, or "auto": whether XLA compiles the loop, once
                for each `num`; it is faster then. "auto": where this is worth
                the time. Without effect inside a `tf.function`.

        Returns:
            int32 tensor (num, height, width); of images float32 (num, height,
            width, channels).
        """
        if isinstance(temperature, numbers.Real):
            self._check_temperature(temperature)
        given = {"label": label, "condition": condition}
        for name, value in given.items():
            known = any(item.name == name for item in self._inputs)
            if value is not None and not known:
                way = {"label": "num_classes", "condition": "conditional"}
                raise ValueError(
                    f"This model has no {name}: make it with `{way[name]}`. "
                    f"Received: {name} of shape {np.shape(value)}"
                )
        num = sample_count("num", num)
        eager = tf.executing_eagerly()
        num = int(num) if eager else num
        arguments = [
            num,
            tf.cast(random.as_seed(seed), "int32"),
            tf.cast(temperature, "float32"),
            *(repeated(i, given[i.name], num) for i in self._inputs[1:]),
        ]
        if jit_compile == "auto":
            xla = eager and self._is_worth_xla(num)
        else:
            xla = bool(jit_compile)
        inputs = [
            specs.NUM,
            specs.SEED,
            tf.TensorSpec((), "float32"),
            *(item.spec() for item in self._inputs[1:]),
        ]
        return self._functions.run(
            f"sample, XLA {xla}", self._sample, inputs, arguments, xla
        )

    def _is_worth_xla(self, num):
        positions = num * math.prod(self.shape[:2])
        return positions >= _POSITIONS_WORTH_XLA and not (
            self._in_strategy or is_op_determinism_enabled()
        )

    def _check_temperature(self, temperature):
        non_negative("temperature", temperature)
        if self.likelihood is not None and temperature != 1:
            raise ValueError(
                "Samples of images have `temperature` 1. "
                f"Received: temperature={temperature}"
            )

    @tf.autograph.experimental.do_not_convert
    def _sample(self, num, seed, temperature, *given):
        names = [item.name for item in self._inputs[1:]]
        given = dict(zip(names, given, strict=True))
        given = self._given(given.get("label"), given.get("condition"))
        positions, pixel = math.prod(self.shape[:2]), self.shape[2:]
        background = tf.reshape(self._background(), [positions, 2])
        if given is not None:
            # A label alone gives one row, the same at all positions.
            rows = math.prod(given.shape[1:3])
            given = tf.reshape(given, [num, rows, self.filters])

        def step(index, samples, cache):
            place = tf.broadcast_to(background[index], [num, 2])
            condition = None
            if given is not None:
                condition = given[:, 0 if rows == 1 else index]
            params, features, cache = self._step(cache, index, place, condition)
            value = self.draw(params, seed, index, temperature)
            samples = write(samples, value[tf.newaxis], index)
            cache = self._remember(cache, index, place, features, value)
            return index + 1, samples, cache

        start = (
            tf.constant(0),
            tf.zeros([positions, num, *pixel], self._inputs[0].dtype),
            self._init_cache(num),
        )
        _, samples, _ = tf.while_loop(
            lambda index, *_: index < positions,
            step,
            start,
            maximum_iterations=positions,
            parallel_iterations=1,
        )
        samples = tf.reshape(samples, [*self.shape[:2], num, *pixel])
        return tf.transpose(samples, [2, 0, 1, 3][: samples.shape.rank])

    def _init_cache(self, num):
        return [
            self._stem.init_cache(num),
            [block.init_cache(num) for block in self._blocks],
        ]

    def _step(self, cache, index, background, condition):
        """Parameters at a position, features to remember, and the cache."""
        stem, blocks = cache
        x = self._stem.read(stem, index) + self._place(background)
        features, new = [], []
        for block, old in zip(self._blocks, blocks, strict=True):
            x, inner, old = block.step(old, x, background, index, condition)
            features.append(inner)
            new.append(old)
        return self._head(x), features, [stem, new]

    def _remember(self, cache, index, background, features, value):
        """The cache, once the value at a position is drawn."""
        stem, blocks = cache
        content = self._content(value)
        return [
            self._stem.write(stem, content, index),
            [
                block.remember(old, inner, content, background, index)
                for block, old, inner in zip(
                    self._blocks, blocks, features, strict=True
                )
            ],
        ]

    def draw(
        self,
        params: tf.Tensor,
        seed: tf.Tensor,
        index: Scalar,
        temperature: Scalar,
    ) -> tf.Tensor:
        """Values at one position, given all that came before.

        Args:
            params: float32 tensor (batch, num_embeddings), or (batch,
                parameters of a pixel).
            seed: int32 tensor (2,).
            index: scalar int32 tensor, position in raster order.
            temperature: scalar float32 tensor.

        Returns:
            int32 tensor (batch,), or float32 (batch, channels).
        """
        if self.likelihood is None:
            return draw_code(params, seed, index, temperature)
        return draw_pixel(self.likelihood, params, seed, index)

    def export_signatures(self) -> dict[str, ExportSignature]:
        """Named functions for a SavedModel, see `keras_vae.export_model`.

        Returns:
            dict of name to (function, list of `tf.TensorSpec`).
        """
        inputs = [item.spec() for item in self._inputs]
        names = [item.name for item in self._inputs]

        def sample(num, seed, *given):
            given = dict(zip(names[1:], given, strict=True))
            return {"samples": self.sample(num, seed, **given)}

        def log_prob(*values):
            x = dict(zip(names, values, strict=True))
            return {"log_prob": self._log_prob(x)}

        return {
            "serving_default": (sample, [specs.NUM, specs.SEED, *inputs[1:]]),
            "log_prob": (log_prob, inputs),
        }
