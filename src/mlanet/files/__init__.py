"""Files of the user's: listed, opened and read without trust, written whole or not at all."""

from mlanet.files.listing import is_hidden, list_files
from mlanet.files.opening import check_regular, read_bytes, read_text, start_of
from mlanet.files.parsing import PARSER_ERRORS, one_line, parsing, read_json
from mlanet.files.writing import atomic_folder, atomic_path, remove_leftovers

__all__ = [
    "PARSER_ERRORS",
    "atomic_folder",
    "atomic_path",
    "check_regular",
    "is_hidden",
    "list_files",
    "one_line",
    "parsing",
    "read_bytes",
    "read_json",
    "read_text",
    "remove_leftovers",
    "start_of",
]
