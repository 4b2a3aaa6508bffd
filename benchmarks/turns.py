"""Contenders that take turns, some of them in processes of their own."""

import json
import os
import statistics
import subprocess
import sys
import time


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


def timed(function):
    """A contender of a function from an amount of work to its last loss."""

    def turn(amount):
        started = time.perf_counter()
        loss = float(function(amount))
        return time.perf_counter() - started, loss

    return turn


def take_turns(contenders, rounds, amount, examples, unit="examples/s"):
    """Rates of each round, and last losses, by contender.

    Args:
        contenders: dict of name to callable, from an amount of work to
            (seconds, loss).
        rounds: int, after one that is not timed.
        amount: int, of work in one turn.
        examples: int, what is counted in one turn; or a dict of that by
            contender.
        unit: str, of a rate.
    """
    rates = {name: [] for name in contenders}
    losses = {}
    if not isinstance(examples, dict):
        examples = dict.fromkeys(contenders, examples)
    for turn in range(-1, rounds):
        # Back and forth: what one leaves behind must not always hit the same
        # other.
        direction = 1 if turn % 2 else -1
        for name, contender in list(contenders.items())[::direction]:
            seconds, losses[name] = contender(amount)
            rate = examples[name] / seconds
            if turn >= 0:
                rates[name].append(rate)
            print(
                f"turn {turn + 1} of {rounds}: {name}, {rate:.4g} {unit}",
                file=sys.stderr,
            )
    return rates, losses


def amount_of(contender, seconds):
    """The amount of work that takes a contender about so long.

    Args:
        contender: callable, from an amount to (seconds, loss); one unit of
            work is done before the one that is timed.
        seconds: float.
    """
    contender(1)
    taken, _ = contender(1)
    return max(1, round(seconds / taken))


def ratios(rates, name, other):
    """Rates of one contender over those of another, by turn."""
    pairs = zip(rates[name], rates[other], strict=True)
    return [a / b for a, b in pairs]


def ratio(rates, name, other):
    """Their median: the speed of a machine drifts from turn to turn."""
    return statistics.median(ratios(rates, name, other))


def table(rates, losses, first="fit", unit="examples/s"):
    """Rows: the median rate, and the median ratio of `first` to each."""
    rows = []
    for name, rate in rates.items():
        over = ratios(rates, first, name)
        rows.append(
            {
                "contender": name,
                unit: rounded(statistics.median(rate)),
                f"{first} / it": f"{statistics.median(over):.3f}",
                "range": f"{min(over):.2f}-{max(over):.2f}",
                "loss": f"{losses[name]:.4g}",
            }
        )
    return rows


def rounded(rate):
    """A whole number, or three digits of a small rate."""
    return round(rate) if rate >= 10 else float(f"{rate:.3g}")
