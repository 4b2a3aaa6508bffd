"""Checks of arguments that all packages share."""

import numbers


def positive_int(name, value):
    """Return `value` as an int, or raise if it is not a positive integer."""
    if not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(
            f"`{name}` must be a positive integer. Received: {name}={value!r}"
        )
    return int(value)


def positive_ints(name, values, length=None):
    """Return `values` as a tuple of `length` (or at least one) such ints."""
    try:
        sizes = tuple(positive_int(name, value) for value in values)
    except (TypeError, ValueError):
        sizes = ()
    if not sizes or len(sizes) != (length or len(sizes)):
        raise ValueError(
            f"`{name}` must be a sequence of {length or 'one or more'} "
            f"positive integers. Received: {name}={values!r}"
        )
    return sizes
