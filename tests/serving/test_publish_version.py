import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

import keras_vae
from keras_vae.serving.publish_version import publish_version
from tests.serving import publish_slowly


def write_weights(folder):
    (folder / "weights").write_bytes(b"1 2 3")


def test_versions_count_from_one(tmp_path):
    path = tmp_path / "models" / "digits"
    versions = [publish_version(path, write_weights) for _ in range(3)]
    assert versions == [path / "1", path / "2", path / "3"]
    assert sorted(os.listdir(path)) == ["1", "2", "3"]
    for version in versions:
        assert (version / "weights").read_bytes() == b"1 2 3"


@pytest.mark.parametrize(
    ("names", "version"),
    [
        (["7"], "8"),
        (["9", "10"], "11"),
        (["007"], "8"),
        (["1700000000"], "1700000001"),
        (["latest", "v5", "5.0", "-5", "5_0", "٥", ".export-5"], "1"),
        # Beyond 64 bits no server reads a number.
        (["2", "9" * 20], "3"),
    ],
)
def test_next_version_follows_the_largest(tmp_path, names, version):
    for name in names:
        (tmp_path / name).mkdir()
    assert publish_version(tmp_path, write_weights).name == version


def test_files_that_are_no_versions(tmp_path):
    (tmp_path / "models.config").touch()
    assert publish_version(tmp_path, write_weights).name == "1"
    # A server takes this file for version 6: it must not stay the latest.
    (tmp_path / "6").touch()
    assert publish_version(tmp_path, write_weights).name == "7"


def test_permissions_are_the_usual_ones(tmp_path):
    usual = tmp_path / "usual"
    usual.mkdir()
    version = publish_version(tmp_path / "model", write_weights)
    assert version.stat().st_mode == usual.stat().st_mode


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failure_in_the_middle_leaves_nothing(tmp_path, error):
    publish_version(tmp_path, write_weights)

    def write(folder):
        write_weights(folder)
        (folder / "variables").mkdir()
        write_weights(folder / "variables")
        raise error

    with pytest.raises(error):
        publish_version(tmp_path, write)
    assert os.listdir(tmp_path) == ["1"]
    assert publish_version(tmp_path, write_weights).name == "2"


def test_flushed_before_it_is_published(tmp_path, monkeypatch):
    events = []

    def fsync(descriptor):
        events.append(os.readlink(f"/proc/self/fd/{descriptor}"))

    def rename(source, target, rename=os.rename):
        rename(source, target)
        events.append("rename")

    def write(folder):
        write_weights(folder)
        (folder / "variables").mkdir()
        write_weights(folder / "variables")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    publish_version(tmp_path, write)

    *before, renamed, after = events
    assert renamed == "rename"
    assert after == str(tmp_path)
    names = [file.rpartition("/version")[2] for file in before]
    assert sorted(names) == [
        "",
        "/variables",
        "/variables/weights",
        "/weights",
    ]
    assert names[-1] == ""


def test_number_taken_in_the_last_moment(tmp_path, monkeypatch):
    def rename(source, target, rename=os.rename):
        monkeypatch.setattr(os, "rename", rename)
        pathlib.Path(target).mkdir()
        (pathlib.Path(target) / "weights").write_bytes(b"of a rival")
        rename(source, target)

    monkeypatch.setattr(os, "rename", rename)
    assert publish_version(tmp_path, write_weights).name == "2"
    assert (tmp_path / "1" / "weights").read_bytes() == b"of a rival"
    assert (tmp_path / "2" / "weights").read_bytes() == b"1 2 3"


def test_rename_that_cannot_work_fails(tmp_path, monkeypatch):
    def rename(source, target):
        raise PermissionError("no")

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(PermissionError):
        publish_version(tmp_path, write_weights)
    assert os.listdir(tmp_path) == []


def test_concurrent_exports_get_a_version_each(tmp_path):
    def publish(number):
        def write(folder):
            (folder / "weights").write_text(str(number))

        return publish_version(tmp_path, write)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(publish, range(200)))
    assert {int(v.name) for v in versions} == set(range(1, 201))
    assert len(os.listdir(tmp_path)) == 200
    for number, version in enumerate(versions):
        assert (version / "weights").read_text() == str(number)


def test_watcher_sees_a_version_that_is_written_in_place(watching, tmp_path):
    """The witness of the tests of atomicity can fail."""
    with watching(tmp_path) as report:
        folder = tmp_path / "1"
        folder.mkdir()
        (folder / "weights").write_bytes(b"1 2")
        time.sleep(1.0)
        write_weights(folder)
    assert report.partial == ["1"]


def test_watcher_never_sees_a_partial_version(watching, tmp_path):
    def write(folder):
        (folder / "variables").mkdir()
        for name in ["saved_model.pb", "variables/a", "variables/b"]:
            (folder / name).write_bytes(os.urandom(100_000))
            time.sleep(0.002)

    with watching(tmp_path) as report:
        for _ in range(50):
            publish_version(tmp_path, write)
    assert report.polls > 50
    assert report.seen == {str(version) for version in range(1, 51)}
    assert report.partial == []


@pytest.fixture
def folder_of_another():
    """A folder that this process cannot write, even if it runs as root."""
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o555)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        if os.geteuid() == 0:
            stack.callback(os.seteuid, 0)
            os.seteuid(65534)
        yield pathlib.Path(folder)


def test_folder_that_cannot_be_written(folder_of_another):
    for path in [folder_of_another, folder_of_another / "model"]:
        with pytest.raises(PermissionError, match="`path` must be") as info:
            publish_version(path, pytest.fail)
        assert info.value.filename == str(path)


def test_path_that_is_no_folder(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for path in [file, file / "model"]:
        with pytest.raises(OSError, match="`path` must be") as info:
            publish_version(path, pytest.fail)
        assert info.value.filename == str(path)
    assert os.listdir(tmp_path) == ["file"]


@contextlib.contextmanager
def publishing(folder):
    """Another process in the middle of an export."""
    package = pathlib.Path(keras_vae.__file__).parent
    with subprocess.Popen(
        [sys.executable, publish_slowly.__file__, package, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout.readline() == b"waiting\n"
            yield process
        finally:
            process.stdin.close()


def test_next_export_removes_what_a_killed_one_left(tmp_path):
    with publishing(tmp_path) as process:
        process.kill()
    (left,) = os.listdir(tmp_path)
    assert left.startswith(".export-")
    assert publish_version(tmp_path, write_weights).name == "1"
    assert os.listdir(tmp_path) == ["1"]


def test_export_of_a_living_process_is_left_alone(tmp_path):
    with publishing(tmp_path) as process:
        assert publish_version(tmp_path, write_weights).name == "1"
        assert len(os.listdir(tmp_path)) == 2
    assert process.returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]
    for version in ("1", "2"):
        assert (tmp_path / version / "weights").read_bytes() == b"1 2 3"


def test_only_what_an_export_left_is_removed(tmp_path):
    outside = tmp_path / "outside"
    model = tmp_path / "model"
    for folder in (outside, model / ".export-mine", model / "other"):
        folder.mkdir(parents=True)
    (outside / "lock").touch()
    (model / "other" / "lock").touch()
    (model / ".export-link").symlink_to(outside)
    (model / ".export-file").touch()
    publish_version(model, write_weights)
    assert sorted(os.listdir(model)) == [
        *(".export-file", ".export-link", ".export-mine"),
        *("1", "other"),
    ]
    assert (outside / "lock").exists()


def test_filesystem_without_locks(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError("not supported")

    monkeypatch.setattr("fcntl.flock", flock)
    assert publish_version(tmp_path, write_weights).name == "1"
    assert os.listdir(tmp_path) == ["1"]
