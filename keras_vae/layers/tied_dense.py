from typing import Any
from typing import Self

import keras
import tensorflow as tf

from keras_vae.typing import Activation
from keras_vae.typing import Initializer
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class TiedDense(keras.layers.Layer):
    """Dense layer with the transposed kernel of another one.

    y = activation(x W**T + b),  W the kernel of `tied_to`

    The kernel is one variable: the gradients of both uses add up, and a model
    that holds both layers counts it once. It is frozen with `tied_to`; only
    the bias is of this layer.

    A `.keras` file of a model that holds both layers loads tied, and so does
    any file or config of a model of this library. Elsewhere Keras makes a copy
    of `tied_to`, with a kernel of its own: after `from_config` and
    `clone_model` `keras_vae.layers.retie` mends that; a file of plain Keras
    models within a model does not load: `load_weights` from it.

    Args:
        tied_to: `keras.layers.Dense`, built before this layer is.
        activation: of the output, None for linear.
        use_bias: bool.
        bias_initializer: of the bias, one for each input of `tied_to`.

    Call arguments:
        inputs: float tensor (batch, ..., tied_to.units).

    Input shape:
        (batch, ..., tied_to.units)

    Output shape:
        (batch, ..., number of inputs of tied_to)

    Raises:
        ValueError: if `tied_to` is no Dense layer, is not built when this
            layer is, or gives codes of another size.

    Example:
    >>> dense = keras.layers.Dense(3, activation="sigmoid")
    >>> decoder = keras_vae.layers.TiedDense(dense)
    >>> model = keras.Sequential([keras.Input((8,)), dense, decoder])
    >>> [tuple(v.shape) for v in model.trainable_variables]
    [(8, 3), (3,), (8,)]

    Reference:
        Vincent, Larochelle, Bengio, Manzagol, 2008, section 2.2.
    """

    def __init__(
        self,
        tied_to: keras.layers.Dense,
        activation: Activation | None = None,
        use_bias: bool = True,
        bias_initializer: Initializer = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tie(tied_to)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.bias = None

    def tie(self, tied_to: keras.layers.Dense) -> None:
        """Uses the kernel of `tied_to` from now on."""
        if not isinstance(tied_to, keras.layers.Dense):
            raise ValueError(
                "`tied_to` must be a keras.layers.Dense. "
                f"Received: tied_to={tied_to!r}"
            )
        # Not an attribute that Keras would track: the bias of `tied_to` is
        # none of this layer's, nor is freezing `tied_to`.
        self._reference = _Reference(tied_to)

    @property
    def tied_to(self) -> keras.layers.Dense:
        return self._reference.layer

    @property
    def kernel(self) -> keras.Variable | None:
        """The kernel of `tied_to`, not transposed; None before it is built."""
        return self.tied_to.kernel if self.tied_to.built else None

    # Keras asks every layer for these two and drops what it gets twice.

    @property
    def variables(self) -> list[keras.Variable]:
        return self._with_kernel(super().variables)

    @property
    def weights(self) -> list[keras.Variable]:
        return self._with_kernel(super().weights)

    def _with_kernel(self, variables):
        if self.built and self.kernel is not None:
            return [self.kernel, *variables]
        return variables

    def build(self, input_shape: Shape) -> None:
        if not self.tied_to.built:
            raise ValueError(
                "`tied_to` must be built before the layer tied to it: give "
                "the encoder a keras.Input, or build it first. "
                f"Received: tied_to={self.tied_to.name!r}, not built"
            )
        if input_shape[-1] != self.tied_to.units:
            raise ValueError(
                f"{self.name!r} takes what {self.tied_to.name!r} gives, "
                f"{self.tied_to.units} units. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.tied_to.kernel.shape[0],),
                initializer=self.bias_initializer,
            )

    def call(self, inputs: TensorLike) -> tf.Tensor:
        kernel = keras.ops.cast(self.kernel, self.compute_dtype)
        if len(inputs.shape) == 2:
            # The other way copies the kernel, outside of XLA.
            outputs = tf.matmul(inputs, kernel, transpose_b=True)
        else:
            outputs = keras.ops.matmul(inputs, keras.ops.transpose(kernel))
        if self.use_bias:
            outputs = outputs + self.bias
        return self.activation(outputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if self.kernel is None:
            raise ValueError(
                "The output shape is known once `tied_to` is built. "
                f"Received: tied_to={self.tied_to.name!r}, not built"
            )
        return (*input_shape[:-1], self.kernel.shape[0])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "tied_to": keras.saving.serialize_keras_object(self.tied_to),
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "bias_initializer": keras.initializers.serialize(
                self.bias_initializer
            ),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        tied_to = keras.saving.deserialize_keras_object(config["tied_to"])
        return cls(**{**config, "tied_to": tied_to})


class _Reference:
    """Hides a layer from Keras's tracking."""

    def __init__(self, layer):
        self.layer = layer


def retie(model: keras.Model) -> keras.Model:
    """Ties copies again, in a model made from a config.

    A `TiedDense` whose `tied_to` is no layer of the model is tied to the
    Dense layer of the model that has its name and size, if there is one.
    Models of this library do so themselves when they are made from a config.

    Args:
        model: Keras model.

    Returns:
        The model.

    Raises:
        ValueError: if several Dense layers of the model are like that.

    Example:
    >>> dense = keras.layers.Dense(3)
    >>> layers = [keras.Input((8,)), dense, keras_vae.layers.TiedDense(dense)]
    >>> model = keras.models.clone_model(keras.Sequential(layers))
    >>> len(model.trainable_variables)
    4
    >>> len(keras_vae.layers.retie(model).trainable_variables)
    3
    """
    layers = list({id(v): v for v in model._flatten_layers()}.values())
    dense = [v for v in layers if isinstance(v, keras.layers.Dense)]
    for layer in layers:
        if not isinstance(layer, TiedDense):
            continue
        if any(layer.tied_to is other for other in dense):
            continue
        same = [v for v in dense if _is_copy(layer.tied_to, v)]
        if len(same) > 1:
            raise ValueError(
                f"{layer.name!r} cannot be tied again: give the Dense layers "
                f"names of their own. Received: {len(same)} layers named "
                f"{layer.tied_to.name!r}"
            )
        if same:
            layer.tie(same[0])
    return model


def _is_copy(one, other):
    if (one.name, one.units) != (other.name, other.units):
        return False
    if not (one.built and other.built):
        return True
    return one.kernel.shape == other.kernel.shape
