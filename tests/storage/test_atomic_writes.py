"""Files that appear whole or not at all."""

import os
import resource
import signal
import socket

import pytest
import torch

from sklearn_flipad.storage.files import remove_partials, write_atomically


def test_content_is_bytes_or_written_by_a_function(tmp_path):
    write_atomically(tmp_path / "a", b"bytes")
    write_atomically(os.fsencode(tmp_path / "a"), b"bytes")
    write_atomically(tmp_path / "b", lambda file: file.write(b"by a function"))
    assert (tmp_path / "a").read_bytes() == b"bytes"
    assert (tmp_path / "b").read_bytes() == b"by a function"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_interrupted_write_leaves_what_was_there(tmp_path):
    def interrupted(file):
        file.write(b"half")
        raise KeyboardInterrupt

    write_atomically(tmp_path / "a", b"before")
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a", interrupted)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"before"


def test_only_partial_files_of_the_same_file_are_removed(tmp_path):
    unique = "0123456789abcdef" * 2
    kept = ["a[1]", "a1", f"a1.{unique}.partial", "a[1].mine.partial", f"a[1].b.{unique}.partial"]
    for name in [*kept, f"a[1].{unique}.partial"]:
        (tmp_path / name).touch()
    remove_partials(tmp_path / "a[1]")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(kept)


def test_a_link_stays_and_the_file_that_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "a").write_bytes(b"before")
    for link, target in (("link", "a"), ("dangling", "new")):
        (tmp_path / link).symlink_to(target)
        write_atomically(tmp_path / link, b"after")
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / target).read_bytes() == b"after"
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OSError, match="circle"):
        write_atomically(tmp_path / "circle", b"")


def test_what_is_no_file_is_refused_and_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    os.mkfifo("FIFO")
    os.mkdir("folder")
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    os.symlink("/dev/null", "device")
    before = sorted(os.listdir())
    for name in ("FIFO", "folder", "socket", "device"):
        with pytest.raises(ValueError, match=f"is a {name}, not a file"):
            write_atomically(name, b"content")
    assert sorted(os.listdir()) == before
    server.close()


@pytest.fixture
def full_disk():
    """No file may grow past 3000 bytes, which fails as a full disk does."""
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.SIG_IGN
    handler = signal.signal(signal.SIGXFSZ, handler)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize(
    "content",
    [bytes(9000), lambda file: torch.save(torch.zeros(9000), file)],
    ids=["bytes", "torch.save"],
)
def test_a_full_disk_names_the_file(tmp_path, content):
    (tmp_path / "a").write_bytes(b"before")
    with pytest.raises(OSError, match="File too large") as caught:
        write_atomically(tmp_path / "a", content)
    assert f"{tmp_path / 'a'!s}" in str(caught.value)
    assert ".partial" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"before"


def test_names_up_to_the_longest(tmp_path):
    for n in (213, 214, 215, 255):
        write_atomically(tmp_path / ("x" * n), b"content")
        stem = "[0-9a-f]" * 32 if n > 214 else "x" * n
        assert not list(tmp_path.glob(f"{stem}.*.partial"))
    with pytest.raises(OSError, match=r"File name too long: '.*x{256}'"):
        write_atomically(tmp_path / ("x" * 256), b"content")
    with pytest.raises(FileNotFoundError, match=r"folder does not exist: '.*new/a'"):
        write_atomically(tmp_path / "new" / "a", b"content")
