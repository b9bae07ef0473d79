"""Files of arrays and a description."""

from pathlib import Path

import numpy as np
import pytest

from sklearn_flipad.storage.arrays import load_arrays, pack, save_arrays, unpack

OLD = Path(__file__).parents[1] / "data" / "version_0" / "layer_conv_transpose.safetensors"


def test_arrays_and_descriptions_are_kept(tmp_path):
    arrays = {
        "axes": np.arange(6.0).reshape(2, 3).T,
        "none": np.array(True),
        "empty": np.empty((0, 3), "f4"),
        "other order": np.arange(3, dtype=">i4"),
    }
    description = {"format": "numbers", "text": 'ü\ud800"sha256":"' + "0" * 64, "items": [1, None]}
    save_arrays(tmp_path / "file", arrays, description)
    found, description_found = load_arrays(tmp_path / "file", "letters", "numbers")
    assert description_found == description
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype.newbyteorder("=")
        assert found[name].flags.writeable
    with pytest.raises(ValueError, match="file cannot be read: it holds numbers, not letters or 1"):
        load_arrays(tmp_path / "file", "letters", "1")


def test_numbers_that_json_lacks_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        pack({}, {"x": float("nan")})


def test_files_with_a_digest_of_their_content_are_read():
    """Layers and encoders were first written so."""
    content = OLD.read_bytes()
    arrays, description = unpack(content, "sklearn_flipad.FinalLayer/1")
    found, description_found = unpack(pack(arrays, description))
    assert description_found == description
    assert found.keys() == arrays.keys()
    header = int.from_bytes(content[:8], "little")
    for at in (header // 2, header + 8, len(content) - 1):
        changed = bytearray(content)
        changed[at] ^= 1
        with pytest.raises(ValueError, match="does not match its checksum"):
            unpack(bytes(changed))
    for size in (0, 7, 100, header, len(content) - 1):
        with pytest.raises(ValueError, match=r"not .*complete"):
            unpack(content[:size])
