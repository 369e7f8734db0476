"""Files of the user's: listed, opened and read without trust, written whole or not at all."""

from mlanet.files.listing import PHOTO_SUFFIXES, is_hidden, list_files
from mlanet.files.manifest import MANIFEST, Origin, read_manifest
from mlanet.files.opening import check_regular, read_bytes, read_text, start_of
from mlanet.files.parsing import PARSER_ERRORS, json_value, one_line, parsing, printable, read_json
from mlanet.files.results import (
    Result,
    finished_result,
    folder_names,
    result_folder,
    without_results,
)
from mlanet.files.writing import atomic_folder, atomic_path, remove_leftovers

__all__ = [
    "MANIFEST",
    "PARSER_ERRORS",
    "PHOTO_SUFFIXES",
    "Origin",
    "Result",
    "atomic_folder",
    "atomic_path",
    "check_regular",
    "finished_result",
    "folder_names",
    "is_hidden",
    "json_value",
    "list_files",
    "one_line",
    "parsing",
    "printable",
    "read_bytes",
    "read_json",
    "read_manifest",
    "read_text",
    "remove_leftovers",
    "result_folder",
    "start_of",
    "without_results",
]
