"""Files that appear whole or not at all."""

import pytest

from sklearn_flipad.storage.files import remove_partials, write_atomically


def test_content_is_bytes_or_written_by_a_function(tmp_path):
    write_atomically(tmp_path / "a", b"bytes")
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
