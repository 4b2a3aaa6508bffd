"""Measurements that must not meet what others left behind."""

import concurrent.futures
import multiprocessing


def in_fresh_process(function, *arguments):
    """The result of a function of a module, in a process of its own."""
    with concurrent.futures.ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn")
    ) as fresh:
        return fresh.submit(function, *arguments).result()
