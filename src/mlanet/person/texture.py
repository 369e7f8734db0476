"""One texture from all photos of a person."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mlanet.reconstruction import Reconstruction
from mlanet.texturing import HeadInPhoto, LongHair, Texture, head_texture, long_hair


@dataclass(frozen=True, slots=True, eq=False)
class PersonTexture:
    """Makes a person's texture of all photos, each size once.

    Attributes:
        faces: one of each photo, with one identity; the texture has the first one's light.
    """

    faces: tuple[Reconstruction, ...]
    _made: dict[tuple[int, tuple[int, int, int] | None], Texture] = field(default_factory=dict)

    @property
    def hair(self) -> Float[np.ndarray, "v 3"]:
        """As the first photo shows it (`mlanet.texturing.hair_offsets`)."""
        return self.faces[0].hair

    @property
    def long_hair(self) -> LongHair | None:
        """As the first photo shows it (`mlanet.texturing.long_hair`)."""
        face = self.faces[0]
        return long_hair(face.image, face.head, self.hair, self(None, None).image)

    def __call__(self, size: int | None, blank: tuple[int, int, int] | None) -> Texture:
        """The texture, as `Reconstruction.texture_of` says."""
        if size is None:
            size = max(face.own_texture_size for face in self.faces)
        if (size, blank) not in self._made:
            colors = self.faces[0].mesh.colors
            assert colors is not None
            photos = [
                HeadInPhoto(
                    face.image,
                    face.head.with_hair(self.hair),
                    [head.build() for head in face.before],
                    face.figure,
                )
                for face in self.faces
            ]
            self._made[size, blank] = head_texture(photos, colors, size, blank=blank)
        return self._made[size, blank]
