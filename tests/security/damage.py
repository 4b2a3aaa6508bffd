"""Ways to spoil a file, and what may come of it."""

import numpy as np


def damaged(content, flips, seed=0):
    """Damaged copies of the bytes of a file, by a name of the damage."""
    size = len(content)
    for end in (0, 1, 4, 30, size // 4, size // 2, size - 22, size - 1):
        yield f"first {end} of {size} bytes", content[:end]
    yield "beginning lost", content[size // 3 :]
    yield "middle lost", content[: size // 3] + content[size // 2 :]
    yield "zeros", bytes(size)
    yield "twice", content + content
    rng = np.random.default_rng(seed)
    for position in rng.integers(0, size, flips):
        bit = int(rng.integers(8))
        copy = bytearray(content)
        copy[position] ^= 1 << bit
        yield f"bit {bit} of byte {position} of {size}", bytes(copy)


def read_or_refused(read, name, label):
    """What `read` returns; None if it refuses with an error that has `name`.

    Any other error is raised, as a traceback from deep inside.
    """
    try:
        return read()
    except (ValueError, OSError) as error:
        assert name in str(error), (label, error)
        return None
    except Exception as error:
        error.add_note(label)
        raise
