import io
import pickle
import struct
import tracemalloc

import numpy as np
import pytest

from mlanet.errors import DataError
from mlanet.files.pickles import as_array, load_pickle


def test_memory_follows_the_file_and_not_what_it_claims():
    """The claim of 400 MiB of a file of a few bytes."""
    content = b"\x80\x05" + pickle.BYTEARRAY8 + struct.pack("<Q", 400 << 20) + b"ab."
    tracemalloc.start()
    with pytest.raises(DataError, match=r"^file"):
        load_pickle(io.BytesIO(content), "file", DataError)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 << 20


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays_of_every_protocol_are_read(protocol):
    array = np.arange(12.0).reshape(3, 4)
    file = io.BytesIO(pickle.dumps(array, protocol))
    np.testing.assert_array_equal(as_array(load_pickle(file, "file")), array)


def test_nothing_is_run():
    class Tripwire:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was run",))

    with pytest.raises(DataError, match="would run"):
        load_pickle(io.BytesIO(pickle.dumps(Tripwire())), "file", DataError)


def nested(depth):
    """A pickle of a tuple in a tuple in a tuple."""
    return b"\x80\x02" + b")" + b"\x85" * depth


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02}" + nested(200_000)[2:] + b"K\x01s.",  # a key of a dictionary
        b"\x80\x02}(" + nested(200_000)[2:] + b"K\x01u.",
        b"(" + nested(200_000)[2:] + b"K\x01d.",
        b"\x80\x04\x8f(" + nested(200_000)[2:] + b"\x90.",  # an element of a set
        b"\x80\x04(" + nested(200_000)[2:] + b"\x91.",
    ],
)
def test_nested_keys_are_one_line(content):
    """Python's own hash of them ends the process."""
    with pytest.raises(DataError, match=r"^file: unreadable pickle \(a key is a tuple\)"):
        load_pickle(io.BytesIO(content), "file", DataError)


def test_nested_values_are_let_go():
    found = load_pickle(io.BytesIO(nested(200_000) + b"."), "file", DataError)
    assert isinstance(found, tuple)
    with pytest.raises(ValueError, match="no numbers"):
        as_array(found)
