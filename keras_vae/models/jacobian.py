"""The Jacobian of a network, by the cheapest way that its layers allow."""

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_vae.losses import jacobian
from keras_vae.losses.jacobian import Factors

METHODS = ("auto", "closed_form", "jacobian", "hutchinson")

#: Code units up to which "auto" takes the whole Jacobian. Measured on CPU with
#: 784-500-code and batches of 100, time of a step against no penalty: 2.6 times
#: at 16 units and 10 times at 64; one probe, at either size, 1.1 times, and the
#: mean of its estimates over a batch was within 4 % (standard deviation).
LARGEST_FULL = 16

#: Layers that move numbers to other places, in row-major order.
_SHAPE_ONLY = (
    keras.layers.Flatten,
    keras.layers.InputLayer,
    keras.layers.Reshape,
)
_KNOWN = (keras.layers.Dense, *_SHAPE_ONLY)


@dataclasses.dataclass(frozen=True)
class Jacobian:
    """How dz/dx of a function is found; see `choose`.

    Args:
        method: "closed_form", "jacobian" or "hutchinson".
        dense: the Dense layer of the closed form, else None.
    """

    method: str
    dense: keras.layers.Dense | None = None

    def linearize(
        self,
        function: Callable[[tf.Tensor], tf.Tensor],
        x: tf.Tensor,
        probes: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, Factors]:
        """The function and its Jacobian at x.

        Args:
            function: from x to z; what the layers given to `choose` make.
            x: float32 tensor (batch, ...).
            probes: see `losses.jacobian.rademacher`; for "hutchinson" only.

        Returns:
            z and `losses.jacobian.Factors`.
        """
        if self.method == "jacobian":
            return jacobian.full_factors(function, x)
        if self.method == "hutchinson":
            return jacobian.hutchinson_factors(function, x, probes)
        z = function(x)
        dense: keras.layers.Dense = self.dense
        kernel = tf.convert_to_tensor(dense.kernel)
        h = z if dense.compute_dtype == "float32" else self._single(x, z)
        return z, jacobian.dense_factors(h, kernel, dense.activation)

    def _single(self, x, z):
        """z in float32; in half precision a saturated unit has no slope."""
        kernel = tf.convert_to_tensor(self.dense.kernel)
        rows = tf.unstack(tf.shape(z))[:-1]
        h = tf.tensordot(tf.reshape(x, [*rows, kernel.shape[0]]), kernel, 1)
        if self.dense.use_bias:
            h += tf.convert_to_tensor(self.dense.bias)
        return self.dense.activation(h)


def choose(
    layers: Sequence[keras.layers.Layer],
    code_shape: Sequence[int],
    method: str = "auto",
) -> Jacobian:
    """The way to the Jacobian of layers applied one after another.

    Args:
        layers: list of built layers.
        code_shape: shape of one code.
        method: "auto" (the closed form if there is one, else the whole
            Jacobian up to `LARGEST_FULL` code units, else Hutchinson's
            estimate), "exact" (the same without the estimate), or one of
            "closed_form", "jacobian" and "hutchinson".

    Returns:
        `Jacobian`.

    Raises:
        ValueError: if there is no closed form where one is asked for.
    """
    if method in ("jacobian", "hutchinson"):
        return Jacobian(method)
    dense, obstacle = closed_form_layer(layers)
    if dense is not None:
        return Jacobian("closed_form", dense)
    if method == "closed_form":
        raise ValueError(
            "The closed form is for one Dense layer with an elementwise "
            f"activation, behind Flatten and Reshape only; {obstacle}. "
            "Received: method='closed_form'"
        )
    if method == "exact" or math.prod(code_shape) <= LARGEST_FULL:
        return Jacobian("jacobian")
    return Jacobian("hutchinson")


def closed_form_layer(
    layers: Sequence[keras.layers.Layer],
) -> tuple[keras.layers.Dense | None, str | None]:
    """The one Dense layer that makes the code, and what is in the way.

    Returns:
        (layer, None), or (None, reason).
    """
    flat = [leaf for layer in layers for leaf in _leaves(layer)]
    for leaf in flat:
        if type(leaf) not in _KNOWN:
            return None, f"there is {leaf.name!r}, a {type(leaf).__name__}"
        if getattr(leaf, "data_format", None) == "channels_first":
            return None, f"{leaf.name!r} puts channels first"
    dense = [leaf for leaf in flat if type(leaf) is keras.layers.Dense]
    if len(dense) != 1:
        return None, f"there are {len(dense)} Dense layers"
    if flat[-1] is not dense[0]:
        return None, f"{flat[-1].name!r} follows the Dense layer"
    activation = dense[0].activation
    if not jacobian.has_closed_form(activation):
        return None, f"the activation is {_activation_name(activation)}"
    return dense[0], None


def _leaves(network):
    """Layers of a chain, first to last; a network that is none is a leaf."""
    # A subclass may do anything in its `call`.
    if type(network).__module__.partition(".")[0] != "keras":
        return [network]
    if type(network) is keras.Sequential:
        return [leaf for layer in network.layers for leaf in _leaves(layer)]
    operations = getattr(network, "operations", None)
    if operations is None:
        return [network]
    leaves = [leaf for layer in operations for leaf in _leaves(layer)]
    known = all(type(leaf) in _KNOWN for leaf in leaves)
    return [network] if known and not _is_chain(network) else leaves


def _is_chain(network):
    """Whether each layer is used once; all of them take one tensor."""
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        return False
    layers = network.get_config()["layers"]
    return all(len(layer["inbound_nodes"]) <= 1 for layer in layers)


def _activation_name(activation):
    return repr(getattr(activation, "__name__", activation))
