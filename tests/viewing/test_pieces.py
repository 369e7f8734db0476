import base64
import zlib

import pytest

from mlanet.errors import DataError
from mlanet.viewing.pieces import Pieces, glb_header


def unpacked(pieces):
    """As web/viewer/src/page.ts does."""
    data = zlib.decompress(base64.b64decode(pieces.packed()))
    result, start = [], 0
    for count, of_numbers in pieces.described:
        piece = data[start : start + count]
        start += count
        if of_numbers:
            n = count // 4
            piece = bytes(piece[k * n + i] for i in range(n) for k in range(4)) + piece[4 * n :]
        result.append(piece)
    assert start == len(data)
    return result


def test_files_come_back_byte_by_byte(glb, foreign):
    pieces = Pieces()
    numbers = [pieces.add_glb(file) for file in (glb, foreign)]
    back = unpacked(pieces)
    for file, parts in zip((glb, foreign), numbers, strict=True):
        assert b"".join(back[k] for k in parts) == file


def test_equal_pieces_are_kept_once(glb):
    pieces = Pieces()
    first = pieces.add_glb(glb)
    count = len(pieces.described)
    assert pieces.add_glb(glb) == first
    assert len(pieces.described) == count


def test_pictures_stay_as_they_are(glb):
    pieces = Pieces()
    parts = pieces.add_glb(glb)
    whole = [piece for k, piece in enumerate(unpacked(pieces)) if not pieces.described[k][1]]
    assert len(parts) > 3
    assert len(whole) == 2  # the JSON and the picture
    assert whole[1][:4] in (b"\x89PNG", b"\xff\xd8\xff\xe0")


def test_any_length_is_sorted_and_back():
    for length in range(1, 10):
        pieces = Pieces()
        pieces.add(bytes(range(length)))
        assert unpacked(pieces) == [bytes(range(length))]


def test_a_file_without_data_is_one_piece(glb_of):
    pieces = Pieces()
    file = glb_of({"asset": {"version": "2.0"}})
    pieces.add_glb(file)
    assert b"".join(unpacked(pieces)) == file


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda glb: b"", "is no GLB file"),
        (lambda glb: glb[:19], "is cut off"),
        (lambda glb: b"PK" + glb[2:], "is no GLB file"),
        (lambda glb: glb[:4] + b"\1" + glb[5:], "is glTF 1, not 2"),
        (lambda glb: glb[:100], "is cut off"),
        (lambda glb: glb[:20] + b"x" + glb[21:], "is malformed"),
    ],
)
def test_damaged_files_are_refused(change, words, glb):
    with pytest.raises(DataError, match=words):
        glb_header(change(glb))
