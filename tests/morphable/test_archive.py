import io
import re
import struct
import zipfile

import numpy as np
import pytest

from mlanet.errors import AssetError
from mlanet.morphable import MorphableModel
from mlanet.morphable.archive import read_npz


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
    bomb(path, 3_000_000_000)
    with pytest.raises(AssetError, match=re.escape(str(path)) + ".*decompresses to more than"):
        MorphableModel.load(path)


def test_a_member_that_is_larger_than_it_says(tmp_path):
    path = tmp_path / "liar.npz"
    bomb(path, 200)
    with pytest.raises(AssetError, match="not a face model"):
        MorphableModel.load(path)


@pytest.mark.parametrize("shape", [(10**12, 3), (-1, 3), (10**20,), (4,)])
def test_an_array_that_claims_more_than_the_file_has(tmp_path, shape):
    buffer = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    path = tmp_path / "claim.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mean.npy", buffer.getvalue() + bytes(16))
    with pytest.raises(AssetError, match="not a face model"):
        read_npz(path, "a test")


def test_orders_and_kinds_of_arrays(tmp_path):
    arrays = {
        "c": np.arange(6.0).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        "text": np.array(["a", "bcd"]),
        "scalar": np.array(3.5, np.float16),
        "empty": np.zeros((0, 3)),
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    found = read_npz(tmp_path / "a.npz", "a test")
    assert found.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype
