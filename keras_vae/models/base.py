"""The one training step of the library."""

import dataclasses
import inspect
import math
import numbers
from typing import Any
from typing import Self

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled

from keras_vae import data_checks
from keras_vae import random
from keras_vae.arguments import positive_int
from keras_vae.callbacks.terminate_on_non_finite import TerminateOnNonFinite
from keras_vae.layers.tied_dense import retie
from keras_vae.models import bias_gradients
from keras_vae.models import gradients
from keras_vae.models.convolutions import accept_no_examples
from keras_vae.models.convolutions import convolutions_of
from keras_vae.typing import PathLike
from keras_vae.typing import Weight


@dataclasses.dataclass(frozen=True)
class Term:
    """One named term of an objective."""

    weight: Weight
    elbo: bool
    group: str | None


@dataclasses.dataclass(frozen=True)
class Group:
    """Variables with an optimizer of their own (a discriminator, say)."""

    layer: keras.layers.Layer
    optimizer: keras.optimizers.Optimizer


# Weights of a model whose matrix products take no time to speak of.
_SMALL_MODEL = 200_000


@keras.saving.register_keras_serializable(package="keras_vae")
class TermModel(keras.Model):
    """A model whose objective is a weighted sum of named terms.

    Keras scales losses, clips gradients, draws noise and averages metrics per
    replica. This class does each of these over the *global* batch, once for
    all models, so that N replicas train exactly like one:

        loss = sum_t weight_t * mean_batch(term_t)
        neg_elbo = sum of the terms declared with elbo=True, whatever weight

    A model must override `compute_terms` and `call`, declare its terms with
    `add_term` in `__init__`, and store every `__init__` argument in the
    attribute of that name (`get_config` reads them). It may override `build`
    (create *all* state there), `check_data` and `export_signatures`. It must
    not override `train_step`, `test_step` or `compile`.

    Args:
        seed: int or None. Seed of the noise; None draws one (see
            `keras.utils.set_random_seed`) and keeps it in the config.
        **kwargs: `name`, `dtype`, `trainable` of `keras.Model`.

    Attributes:
        step: saved int64 weight, the number of training steps made.
    """

    def __init__(self, *, seed: int | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        if seed is None:
            seed = random.fresh_seed()
        self.seed = positive_int("seed", seed, at_least=0)
        self._in_strategy = tf.distribute.has_strategy()
        bias_gradients.sum_in_single_precision()
        self._terms: dict[str, Term] = {}
        self._groups: dict[str, Group] = {}
        self._trackers: dict[str, keras.metrics.Metric] = {}
        self._chose_xla = False
        self._neg_elbo = None
        self._regularization = keras.metrics.Mean(name="regularization_loss")
        self._regularized = False
        self.step = self.add_weight(
            name="step",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
        )
        # Not a Keras weight: it is never saved, evaluations start from zero.
        self._evaluation_step = tf.Variable(
            0,
            dtype="int64",
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    # === Declaration ===

    def add_term(
        self,
        name: str,
        weight: Weight = 1.0,
        elbo: bool = False,
        group: str | None = None,
    ) -> None:
        """Declares a term of the objective.

        Args:
            name: str, the key in `compute_terms` and in the logs.
            weight: float, or a `keras.optimizers.schedules.
                LearningRateSchedule` evaluated at `step`. Zero: logged only.
            elbo: bool, whether the term is part of `neg_elbo`.
            group: None, or the name of a group declared with `add_group`,
                whose optimizer minimises this term.
        """
        if name in self._terms:
            raise ValueError(f"Term names are unique. Received: name={name!r}")
        schedule = keras.optimizers.schedules.LearningRateSchedule
        if not isinstance(weight, (numbers.Real, schedule)):
            raise ValueError(
                f"The weight of {name!r} must be a number or a Keras "
                f"LearningRateSchedule. Received: weight={weight!r}"
            )
        if group is not None and group not in self._groups:
            raise ValueError(
                f"Declare the group of {name!r} with `add_group` first. "
                f"Received: group={group!r}, declared: {list(self._groups)}"
            )
        self._terms[name] = Term(weight, elbo, group)
        self._trackers[name] = keras.metrics.Mean(name=name)
        if elbo and self._neg_elbo is None:
            self._neg_elbo = keras.metrics.Mean(name="neg_elbo")

    def add_group(
        self,
        name: str,
        layer: keras.layers.Layer,
        optimizer: keras.optimizers.Optimizer,
    ) -> None:
        """Gives the variables of `layer` to `optimizer`, apart from the rest.

        Args:
            name: str, used as `group` in `add_term`.
            layer: a layer of this model, an attribute.
            optimizer: a Keras optimizer, an attribute (so that it is saved).
        """
        self._groups[name] = Group(layer, optimizer)

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        """Values of the declared terms, unweighted, float32, in nats.

        Args:
            x: tensor (batch, *event), or a structure of such.
            y: None or the target, of the shape of x.
            training: bool.

        Returns:
            dict of name to tensor: (batch,), summed over event axes, or () for
            a statistic of the global batch.
        """
        raise NotImplementedError

    def check_data(self, x: Any, y: Any = None) -> None:
        """Raises a ValueError if these arrays cannot be modelled.

        Called with NumPy arrays before `fit` and `evaluate`.
        """

    # === Keras ===

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in self._config_names():
            value = getattr(self, self.config_attributes.get(name, name))
            config[name] = _serialize(value)
        return config

    #: Arguments of `__init__` whose attribute has another name.
    config_attributes: dict[str, str] = {}

    @classmethod
    def _config_names(cls) -> dict[str, None]:
        names = ["seed"]
        for base in cls.__mro__:
            if base is TermModel:
                break
            signature = inspect.signature(base.__init__)  # type: ignore[misc]
            parameters = signature.parameters.values()
            names += [
                p.name
                for p in parameters
                if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
                and p.name not in ("self", "name")
            ]
            if not any(p.kind == p.VAR_KEYWORD for p in parameters):
                break
        return dict.fromkeys(names)

    @classmethod
    def from_config(
        cls,
        config: dict[str, Any],
        custom_objects: dict[str, Any] | None = None,
    ) -> Self:
        model = cls(
            **{
                name: keras.saving.deserialize_keras_object(
                    value, custom_objects=custom_objects
                )
                for name, value in config.items()
            }
        )
        # Keras does not know that two networks share a layer.
        return retie(model)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """As `keras.Model.fit`; data are checked, non-finite terms stop it.

        Raises:
            ValueError: if the data cannot be modelled (empty, NaN, a range,
                rank or target that does not fit; of a data set the first
                batch is looked at), `batch_size` is not positive, or
                `epochs` is negative.
            NonFiniteError: at the first step with a term that is not finite.
        """
        self._check_compiled()
        if batch_size is not None:
            # Keras takes 32 in the place of 0.
            batch_size = positive_int("batch_size", batch_size)
        epochs = positive_int("epochs", epochs, at_least=0)
        self._prepare(x, y)
        if kwargs.get("validation_data") is not None:
            data = kwargs["validation_data"]
            x_val, y_val, weights = keras.utils.unpack_x_y_sample_weight(data)
            self._prepare(x_val, y_val, argument="validation_data")
            if weights is not None:
                target = _target(x_val, y_val, {"sample_weight": weights})
                kwargs["validation_data"] = (x_val, target, weights)
        if callbacks is None or isinstance(callbacks, (list, tuple)):
            # First, so that no later callback saves a spoilt state.
            callbacks = [TerminateOnNonFinite(), *(callbacks or [])]
        if isinstance(x, tf.data.Dataset):
            kwargs.setdefault("shuffle", False)
        return super().fit(
            x,
            _target(x, y, kwargs),
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            **kwargs,
        )

    def evaluate(
        self, x: Any = None, y: Any = None, **kwargs: Any
    ) -> float | list[float] | dict[str, float]:
        """As `keras.Model.evaluate`; the data are checked first."""
        if not kwargs.get("_use_cached_eval_dataset"):
            self._check_compiled()
            self._prepare(x, y)
        return super().evaluate(x, _target(x, y, kwargs), **kwargs)

    def save(self, filepath: PathLike, *args: Any, **kwargs: Any) -> None:
        """As `keras.Model.save`; a model without weights is not saved.

        Raises:
            ValueError: if the model is not built.
        """
        if not self.built:
            raise ValueError(
                f"{type(self).__name__} must be built before it is saved: fit "
                "it or call it on a batch first. Received: built=False"
            )
        super().save(filepath, *args, **kwargs)

    def _check_compiled(self):
        if self.compiled and self.get_compile_config().get("loss") is not None:
            raise ValueError(
                f"{type(self).__name__} has its own objective: compile it "
                "with an optimizer and without a loss. "
                f"Received: loss={self.get_compile_config()['loss']!r}"
            )

    def _prepare(self, x, y, argument="x"):
        x, y = data_checks.first_arrays(x, y, argument)
        if x is None:
            return
        try:
            self.check_data(x, y)
        except ValueError as error:
            if argument == "x":
                raise
            raise ValueError(f"`{argument}`: {error}") from None
        if not self.built:
            with self.distribute_strategy.scope():
                self.build(keras.tree.map_structure(np.shape, x))

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Under a strategy Keras averages the first batch over the replicas,
        # to learn its shape: an error where their shares differ in size. The
        # shape is known here.
        if not self.built or "compile_metrics" in self.metrics_names:
            super()._maybe_symbolic_build(iterator, data_batch)

    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """All optimizers by name: "optimizer", then one for each group."""
        optimizers = {"optimizer": self.optimizer}
        for name, group in self._groups.items():
            optimizers[name] = group.optimizer
        return optimizers

    def build_groups(self) -> None:
        """Creates the slots of the groups' optimizers; call it in `build`."""
        for group in self._groups.values():
            if not group.optimizer.built:
                group.optimizer.build(group.layer.trainable_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [
            metric
            for metric in super().metrics
            if metric is not self._regularization or self._regularized
        ]

    @property
    def _default_save_signature(self):
        # Keras would serve `call` of float inputs beside what a model exports.
        return None

    def reset_metrics(self) -> None:
        super().reset_metrics()
        self._evaluation_step.assign(0)

    def make_train_function(self, force: bool = False) -> None:
        # Networks without shapes had no weights in `compile`, which cannot be
        # overridden: Keras would not compile the models that it loads.
        if self._chose_xla and self.jit_compile:  # type: ignore[has-type]
            self.jit_compile = self._resolve_auto_jit_compile()
        if self.built and not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)
        super().make_train_function(force)

    def _resolve_auto_jit_compile(self):
        # Keras leaves XLA off on CPU. Measured there: dense models gain 40 %,
        # convolutions lose half of their speed.
        if _has_accelerator():
            return super()._resolve_auto_jit_compile()
        self._chose_xla = not (
            self._in_strategy
            or convolutions_of(self)
            or is_op_determinism_enabled()
            or self._has_large_half_products()
        )
        return self._chose_xla

    def _has_large_half_products(self):
        # XLA has no kernels of its own for them: twice the time of oneDNN's.
        # What it gains around them is more in small models.
        num_weights = sum(math.prod(w.shape) for w in self.trainable_weights)
        return (
            self.compute_dtype in ("bfloat16", "float16")
            and num_weights > _SMALL_MODEL
        )

    # === Steps ===

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        x, y, sample_weight = self._unpack(data)
        names = [None, *self._groups]
        with random.noise_scope(self._noise("train", self.step, x)):
            with tf.GradientTape(persistent=len(names) > 1) as tape:
                terms = self._terms_of(x, y, training=True)
                weights = _Weights(x, sample_weight)
                losses = {
                    name: self._objective(terms, weights, name)
                    for name in names
                }
                scaled = {
                    name: self._group_optimizer(name).scale_loss(loss)
                    for name, loss in losses.items()
                }
        for name in names:
            variables = self._group_variables(name)
            gradients.apply(
                self._group_optimizer(name),
                tape.gradient(scaled[name], variables),
                variables,
            )
        del tape
        logs = self._update_metrics(x, y, terms, weights, sample_weight)
        self.step.assign_add(1)
        return logs

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        x, y, sample_weight = self._unpack(data)
        noise = self._noise("evaluate", self._evaluation_step, x)
        with random.noise_scope(noise):
            terms = self._terms_of(x, y, training=False)
        weights = _Weights(x, sample_weight)
        logs = self._update_metrics(x, y, terms, weights, sample_weight)
        self._evaluation_step.assign_add(1)
        return logs

    def predict_step(self, data: Any) -> Any:
        if random.num_replicas() > 1:
            accept_no_examples(self)
        return super().predict_step(data)

    def _unpack(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        data_checks.check_target(x, y)
        if not self.built:
            self.build(keras.tree.map_structure(lambda t: t.shape, x))
        if random.num_replicas() > 1:
            accept_no_examples(self)
        x, y = (keras.tree.map_structure(_in_float32, t) for t in (x, y))
        return x, y, sample_weight

    def _noise(self, phase, step, x):
        seed = random.step_seed(self.seed, phase, step)
        return random.Noise(seed, _num_rows(x))

    def _terms_of(self, x, y, training):
        terms = self.compute_terms(x, y, training)
        if set(terms) != set(self._terms):
            raise ValueError(
                f"compute_terms of {type(self).__name__} must return the "
                f"declared terms {sorted(self._terms)}. "
                f"Received: {sorted(terms)}"
            )
        for name, value in terms.items():
            if value.shape.rank not in (0, 1):
                raise ValueError(
                    f"Term {name!r} must have shape (batch,) or (). "
                    f"Received: shape={value.shape}"
                )
        return {name: tf.cast(terms[name], "float32") for name in self._terms}

    def _weight(self, name):
        weight = self._terms[name].weight
        if callable(weight):
            return tf.cast(weight(self.step), "float32")
        return weight

    def _weighted(self, terms, group):
        """Sums of weight * term: per example, and of the global batch."""
        parts = {0: 0.0, 1: 0.0}
        for name, value in terms.items():
            term = self._terms[name]
            if term.group == group and term.weight != 0.0:
                parts[value.shape.rank] += self._weight(name) * value
        return parts[1], parts[0]

    def _objective(self, terms, weights, group):
        """This replica's share: the sum over replicas is the loss."""
        per_example, of_batch = self._weighted(terms, group)
        total = random.all_reduce_sum(weights.sum)
        loss = tf.math.divide_no_nan(
            weights.sum_of(per_example), tf.stop_gradient(total)
        )
        if group is None and self.losses:
            of_batch += tf.add_n([tf.cast(v, "float32") for v in self.losses])
        return loss + of_batch / random.num_replicas()

    def _group_optimizer(self, name):
        return self.optimizer if name is None else self._groups[name].optimizer

    def _group_variables(self, name):
        if name is not None:
            return self._groups[name].layer.trainable_variables
        taken = {
            id(variable)
            for group in self._groups.values()
            for variable in group.layer.trainable_variables
        }
        return [v for v in self.trainable_variables if id(v) not in taken]

    def _update_metrics(self, x, y, terms, weights, sample_weight):
        total = 0.0
        for name in [None, *self._groups]:
            total += sum(self._weighted(terms, name))
        if self.losses:
            self._regularized = True
            regularization = tf.add_n(
                [tf.cast(v, "float32") for v in self.losses]
            )
            total += regularization
            weights.update(self._regularization, regularization)
        weights.update(self._loss_metric(), total)
        for name, value in terms.items():
            weights.update(self._trackers[name], value)
        if self._neg_elbo is not None:
            neg_elbo = sum(
                v for name, v in terms.items() if self._terms[name].elbo
            )
            weights.update(self._neg_elbo, neg_elbo)
        y_pred = None
        if "compile_metrics" in self.metrics_names:
            y_pred = self(x, training=False)
        target = x if y is None else y
        logs = self.compute_metrics(x, target, y_pred, sample_weight)
        if isinstance(
            tf.distribute.get_strategy(),
            tf.distribute.MultiWorkerMirroredStrategy,
        ):
            # Keras reduces logs over axis 0 there, scalars have none.
            logs = keras.tree.map_structure(lambda value: value[None], logs)
        return logs

    def _loss_metric(self):
        return next(m for m in self.metrics if m.name == "loss")


class _Weights:
    """Weights of the examples of this replica, which are 1 where none came.

    Ones are not multiplied: on a CPU that takes a tenth of a small step.
    """

    def __init__(self, x, sample_weight):
        if sample_weight is None:
            self._weights = None
            self.sum = tf.cast(_num_rows(x), "float32")
        else:
            weights = tf.cast(sample_weight, "float32")
            self._weights = tf.reshape(weights, [-1])
            self.sum = tf.reduce_sum(self._weights)

    def sum_of(self, values):
        """Weighted sum of one value for each example."""
        if self._weights is not None:
            values *= self._weights
        return tf.reduce_sum(values)

    def update(self, metric, value):
        """A mean metric with a value for each example, or for the batch."""
        of_batch = value.shape.rank == 0
        metric.update_state(
            value, sample_weight=self.sum if of_batch else self._weights
        )


def _in_float32(value):
    # Data sets made of NumPy's floats are float64.
    if value is None or not value.dtype.is_floating:
        return value
    return tf.cast(value, "float32")


def _has_accelerator():
    devices = tf.config.list_physical_devices()
    return any(device.device_type != "CPU" for device in devices)


def _num_rows(x):
    return tf.shape(keras.tree.flatten(x)[0])[0]


def _target(x, y, kwargs):
    """Keras drops a `sample_weight` that comes without a `y`."""
    if y is None and kwargs.get("sample_weight") is not None:
        # Of several inputs one: there is one weight for each example.
        return keras.tree.flatten(x)[0]
    return y


def _serialize(value):
    if isinstance(value, (np.floating, np.integer)):
        return value.item()
    return keras.saving.serialize_keras_object(value)
