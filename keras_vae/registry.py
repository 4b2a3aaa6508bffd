"""Objects by name, for arguments that take either."""

from collections.abc import Mapping
from typing import Any


def lookup(
    value: Any,
    base: type,
    by_name: Mapping[str, type],
    argument: str,
    **kwargs: Any,
) -> Any:
    """`value` if it is a `base`, else a new object of the class it names.

    Args:
        value: an instance of `base`, or a key of `by_name`.
        base: class.
        by_name: dict of str to class.
        argument: str, name of the argument in error messages.
        **kwargs: passed to the class that is looked up.
    """
    if isinstance(value, base):
        return value
    if isinstance(value, str) and value in by_name:
        return by_name[value](**kwargs)
    raise ValueError(
        f"`{argument}` must be a {base.__name__} or one of "
        f"{sorted(by_name)}. Received: {argument}={value!r}"
    )
