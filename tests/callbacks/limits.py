"""A disk that is full, as far as a test can fill one."""

import contextlib
import resource


@contextlib.contextmanager
def file_size_limit(size):
    """No file of this process can grow beyond a number of bytes.

    Python ignores the signal that comes with it: writing fails.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
