import io
import struct
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from mlanet.files import PARSER_ERRORS
from mlanet.files.matfiles import Unreadable, read_matrices, variable_names

CONTENT = {
    "single": np.array([[0.1, -0.4, 2.0]], np.float32),
    "small": np.arange(7, dtype=np.uint8)[None],
    "truth": np.array([[True, False]]),
    "empty": np.zeros((0, 3)),
    "large": np.random.default_rng(0).random((60, 300)),
    "axes": np.arange(24).reshape(2, 3, 4),
}
OTHERS = {
    "complex": np.zeros((2, 2), complex),
    "record": {"a": 1},
    "text": "hello",
    "cell": np.array([[1, "a"]], dtype=object),
}
LIMIT = 1 << 26


def written(content, **how):
    file = io.BytesIO()
    savemat(file, content, **how)
    return file.getvalue()


def read(data, names, limit=LIMIT):
    return read_matrices(io.BytesIO(data), len(data), names, limit)


@pytest.mark.parametrize("compressed", [False, True])
def test_numbers_are_read_and_all_else_is_passed_over(compressed):
    data = written(CONTENT | OTHERS, do_compression=compressed)
    assert set(variable_names(io.BytesIO(data), len(data))) == {*CONTENT, *OTHERS}
    found = read(data, {*CONTENT, *OTHERS})
    for name, value in CONTENT.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype
    assert all(isinstance(found[name], Unreadable) for name in OTHERS)
    assert read(data, ("none",)) == {}


def test_version_4():
    content = {name: CONTENT[name] for name in ("single", "large")}
    found = read(written(content, format="4"), content)
    for name, value in content.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("how", [{}, {"do_compression": True}, {"format": "4"}])
def test_any_changed_byte_is_an_error_or_another_value(how):
    """One of them ended the process: an element's type."""
    data = written({"a": CONTENT["single"], "b": np.arange(3.0)}, **how)
    start = 0 if "format" in how else 100
    for place in range(start, len(data)):
        for value in {0, 1, 8, 15, 127, 128, 255, data[place] ^ 1}:
            changed = bytearray(data)
            changed[place] = value
            try:
                found = read(bytes(changed), ("a", "b"))
            except PARSER_ERRORS:
                continue
            assert all(isinstance(array, np.ndarray | Unreadable) for array in found.values())


@pytest.mark.parametrize("how", [{}, {"do_compression": True}, {"format": "4"}])
def test_a_file_that_ends_early_is_an_error_or_lacks_variables(how):
    data = written({"a": CONTENT["single"], "b": np.arange(3.0)}, **how)
    for kept in range(len(data)):
        try:
            found = read(data[:kept], ("a", "b"))
        except PARSER_ERRORS:
            continue
        assert len(found) < 2


def test_nesting_is_never_followed():
    element = b""
    for _ in range(20_000):
        inner = struct.pack("<IIII", 6, 8, 1, 0) + struct.pack("<IIII", 5, 8, 1, 1)
        inner += struct.pack("<II", 1, 0)
        element = struct.pack("<II", 14, len(inner) + len(element)) + inner + element
    data = written({})[:128] + element
    assert read(data, ("",)).keys() == {""}
    assert read(data, ("a",)) == {}
    packed = zlib.compress(element)
    assert read(data[:128] + struct.pack("<II", 15, len(packed)) + packed, ("a",)) == {}


def test_what_is_read_counts_as_double_precision():
    data = written({"a": np.zeros((1, 1000), np.int8)}, do_compression=True)
    assert read(data, ("a",), 8000)["a"].shape == (1, 1000)
    with pytest.raises(ValueError, match="decompresses to more than"):
        read(data, ("a",), 7999)
