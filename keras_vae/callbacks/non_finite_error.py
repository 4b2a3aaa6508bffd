"""The error of a training that went to NaN or infinity."""


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
    """

    def __init__(self, message, names, step=None):
        super().__init__(message)
        self.names = list(names)
        self.step = step
