"""One person in several photos: who it is in each, one shape, one texture."""

from mlanet.person.choosing import choose_faces
from mlanet.person.estimate import shown_well, view_mean
from mlanet.person.joining import join_person
from mlanet.person.posing import with_shape
from mlanet.person.texture import PersonTexture

__all__ = [
    "PersonTexture",
    "choose_faces",
    "join_person",
    "shown_well",
    "view_mean",
    "with_shape",
]
