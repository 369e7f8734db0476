"""JPEG files that end too early, and those that do not want to end."""

import re

MAX_SCANS = 100
"""libtiff's limit, too: each scan visits all pixels once more; encoders write about ten."""

END = b"\xff\xd9"
"""End marker: after it, what is missing of a picture comes out as grey, as in browsers."""

_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # no stuffed zero, no restart
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_WITHOUT_LENGTH = (0x01, 0xD8)


def has_too_many_scans(content: bytes) -> bool:
    """Whether a JPEG has more than `MAX_SCANS` scans, which take time out of all proportion."""
    if content.count(bytes([0xFF, _START_OF_SCAN])) <= MAX_SCANS:
        return False
    scans, position = 0, 0
    while scans <= MAX_SCANS:
        marker = _MARKER.search(content, position)
        if marker is None or marker[1][0] == _END_OF_IMAGE:
            return False
        scans += marker[1][0] == _START_OF_SCAN
        position = marker.end()
        if marker[1][0] not in _WITHOUT_LENGTH:  # what lies in a segment is no marker
            position += int.from_bytes(content[position : position + 2])
    return True
