import io
import re
import struct
import zipfile

import numpy as np
import pytest

from mlanet.errors import AssetError
from mlanet.files.numpyfiles import read_npy, read_npz
from mlanet.morphable import load_model


def bomb(path, claimed):
    """A zip whose directory says that its member has `claimed` bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("mean.npy", bytes(1000))
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = struct.pack("<I", claimed)
    path.write_bytes(content)


def test_a_zip_bomb_is_refused_before_it_goes_off(tmp_path):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, mean=np.zeros(50_000_000, np.int8))  # 400 MB in double precision
    assert path.stat().st_size < 60_000
    with pytest.raises(AssetError, match=re.escape(str(path)) + ".*decompresses to more than"):
        load_model(path)
    np.save(tmp_path / "a.npy", np.zeros(1000, np.int8))
    with pytest.raises(AssetError, match="takes more than"):
        read_npy(tmp_path / "a.npy", AssetError, "no", max_bytes=7999)
    assert read_npy(tmp_path / "a.npy", AssetError, "no", max_bytes=8000).shape == (1000,)


def test_a_member_that_is_larger_than_it_says(tmp_path):
    path = tmp_path / "liar.npz"
    bomb(path, 200)
    with pytest.raises(AssetError, match="not a face model"):
        load_model(path)


@pytest.mark.parametrize("shape", [(10**12, 3), (-1, 3), (10**20,), (4,)])
def test_an_array_that_claims_more_than_the_file_has(tmp_path, shape):
    buffer = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    path = tmp_path / "claim.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mean.npy", buffer.getvalue() + bytes(16))
    with pytest.raises(AssetError, match="not a face model"):
        read_npz(path, AssetError, "not a face model")


def test_orders_and_kinds_of_arrays(tmp_path):
    arrays = {
        "c": np.arange(6.0).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        "text": np.array(["a", "bcd"]),
        "scalar": np.array(3.5, np.float16),
        "empty": np.zeros((0, 3)),
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    found = read_npz(tmp_path / "a.npz", AssetError, "not a face model")
    assert found.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype


@pytest.mark.parametrize(
    "header",
    [
        b"(" * 5000,
        b"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}",
        b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (" + b"-" * 5000 + b"1,)}",
        b"'" * 3,
    ],
)
def test_headers_are_python_and_yet_one_line(tmp_path, header):
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64))
    with pytest.raises(AssetError, match=rf"^{re.escape(str(path))}: no numbers \(") as caught:
        read_npy(path, AssetError, "no numbers")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_numpy_does_not_write_is_refused(tmp_path, method):
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(10))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as file:
        file.writestr("a.npy", buffer.getvalue())
    with pytest.raises(AssetError, match="compressed in a way"):
        read_npz(tmp_path / "a.npz", AssetError, "no")
