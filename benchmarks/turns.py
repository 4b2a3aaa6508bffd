"""Contenders that take turns, some of them in processes of their own."""

import json
import os
import statistics
import subprocess
import sys


class Peer:
    """A peer in a process of its own, which is idle between its turns.

    The worker answers a line of JSON for each line that it gets: first,
    unasked, its versions; then {"seconds": ..., "loss": ...}.

    Args:
        python: path of the Python interpreter that has the peer.
        worker: path of the script.
        *arguments: str, its arguments.
    """

    def __init__(self, python, worker, *arguments):
        self._process = subprocess.Popen(
            [python, worker, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # In its favour: no progress bar, as for the others.
            env={**os.environ, "TQDM_DISABLE": "1"},
            text=True,
        )
        self.versions = self._answer()

    def __call__(self, amount):
        print(amount, file=self._process.stdin, flush=True)
        answer = self._answer()
        return answer["seconds"], answer["loss"]

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            self.close()
            raise RuntimeError(f"{self._process.args} ended; see above.")
        return json.loads(line)

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def take_turns(contenders, rounds, amount, examples):
    """Examples per second of each round, and last losses, by contender.

    Args:
        contenders: dict of name to callable, from an amount of work to
            (seconds, loss).
        rounds: int, after one that is not timed.
        amount: int, of work in one turn.
        examples: int, trained on in one turn.
    """
    rates = {name: [] for name in contenders}
    losses = {}
    for turn in range(-1, rounds):
        # Back and forth: what one leaves behind must not always hit the same
        # other.
        direction = 1 if turn % 2 else -1
        for name, contender in list(contenders.items())[::direction]:
            seconds, losses[name] = contender(amount)
            if turn >= 0:
                rates[name].append(examples / seconds)
            print(
                f"turn {turn + 1} of {rounds}: {name}, "
                f"{examples / seconds:.0f} examples/s",
                file=sys.stderr,
            )
    return rates, losses


def table(rates, losses):
    """Rows: the median rate, and the median ratio of `fit` to each."""
    rows = []
    for name, rate in rates.items():
        ratios = [a / b for a, b in zip(rates["fit"], rate, strict=True)]
        rows.append(
            {
                "contender": name,
                "examples/s": round(statistics.median(rate)),
                "fit / it": f"{statistics.median(ratios):.3f}",
                "range": f"{min(ratios):.2f}-{max(ratios):.2f}",
                "loss": f"{losses[name]:.4g}",
            }
        )
    return rows
