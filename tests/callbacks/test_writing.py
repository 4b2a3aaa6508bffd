"""Files appear whole or not at all, and from one process only."""

import os
import types

import pytest
import tensorflow as tf

from keras_vae.callbacks.writing import atomic_file
from keras_vae.callbacks.writing import is_chief


def test_nothing_is_seen_before_the_end(tmp_path):
    path = tmp_path / "a" / "b.txt"
    with atomic_file(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["b.txt"]


def test_two_hosts_of_one_process_id(tmp_path):
    path = tmp_path / "b.txt"
    with atomic_file(path) as one, atomic_file(path) as other:
        assert one.name != other.name
        one.write(b"one")
        other.write(b"other")
    assert os.listdir(tmp_path) == ["b.txt"]


def test_an_error_leaves_the_former_file(tmp_path):
    path = tmp_path / "b.txt"
    path.write_bytes(b"former")
    with pytest.raises(KeyboardInterrupt):
        with atomic_file(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt
    assert path.read_bytes() == b"former"
    assert os.listdir(tmp_path) == ["b.txt"]


def test_the_mode_is_that_of_any_new_file(tmp_path):
    with atomic_file(tmp_path / "a") as file:
        file.write(b"x")
    (tmp_path / "b").write_bytes(b"x")
    modes = [(tmp_path / name).stat().st_mode for name in "ab"]
    assert modes[0] == modes[1]


@pytest.mark.parametrize(
    ("jobs", "task", "expected"),
    [
        ({"worker": ["a:1", "b:1"]}, ("worker", 0), True),
        ({"worker": ["a:1", "b:1"]}, ("worker", 1), False),
        ({"chief": ["a:1"], "worker": ["b:1"]}, ("chief", 0), True),
        ({"chief": ["a:1"], "worker": ["b:1"]}, ("worker", 0), False),
    ],
)
def test_one_of_many_processes(jobs, task, expected):
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(jobs), task_type=task[0], task_id=task[1]
    )
    strategy = types.SimpleNamespace(cluster_resolver=resolver)
    model = types.SimpleNamespace(distribute_strategy=strategy)
    assert is_chief(model) is expected


def test_the_only_process(mirrored):
    for strategy in (tf.distribute.get_strategy(), mirrored):
        assert is_chief(types.SimpleNamespace(distribute_strategy=strategy))
