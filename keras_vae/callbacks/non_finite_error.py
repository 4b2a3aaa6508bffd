"""The error of a training that went to NaN or infinity."""

from collections.abc import Sequence


class NonFiniteError(FloatingPointError):
    """A term of the objective, or a variable, is NaN or infinite.

    Args:
        message: What happened and what to look at.
        names: Names of the terms or variables that are not finite.
        step: None, or the training step (the value of `model.step` while the
            values were computed).

    Attributes:
        names: As given.
        step: As given.

    Example:

    >>> from keras_vae.callbacks import NonFiniteError
    >>> error = NonFiniteError("kl_loss is not finite", ["kl_loss"], step=7)
    >>> error.names, error.step
    (['kl_loss'], 7)
    """

    def __init__(
        self, message: str, names: Sequence[str], step: int | None = None
    ) -> None:
        super().__init__(message)
        self.names = list(names)
        self.step = step
