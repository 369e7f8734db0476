"""Hair that falls below the ears, as a part of its own beside the head."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int32, UInt8

from mlanet.geometry import Mesh
from mlanet.render.heads import PosedHead
from mlanet.texturing.hair.curtain import curtain_of
from mlanet.texturing.hair.curtain_texture import curtain_texture
from mlanet.texturing.hair.cut_out import cut_out
from mlanet.texturing.hair.in_photo import hair_in_photo
from mlanet.texturing.hair.rim import scalp_around_axis
from mlanet.texturing.hair.sides import falling_hair


@dataclass(frozen=True, slots=True, eq=False)
class LongHair:
    """A mesh beside the head, which has no expressions; both of its sides are seen.

    Attributes:
        vertices: model frame, mm.
        normals: of unit length.
        faces: triangles, counter-clockwise.
        uv: of the vertices, origin at the lower left.
        texture: RGBA, its first row is v = 1; what is less than half covered is cut out.
    """

    vertices: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    faces: Int32[np.ndarray, "f 3"]
    uv: Float[np.ndarray, "n 2"]
    texture: UInt8[np.ndarray, "t s 4"]

    def beside(
        self, head: Mesh, texture: UInt8[np.ndarray, "s s 3"]
    ) -> tuple[Mesh, UInt8[np.ndarray, "h s 3"]]:
        """A head's mesh and its texture with the hair's, without transparency; the hair comes last.

        The hair is cut along the outline of what is covered (`cut_out`).
        """
        import cv2

        assert head.uv is not None
        assert head.uv_faces is not None
        side = len(texture)
        high, wide = self.texture.shape[:2]
        wide = min(wide, side)
        below = np.zeros((high, side, 3), np.uint8)
        below[:, :wide] = cv2.resize(
            self.texture[..., :3], (wide, high), interpolation=cv2.INTER_AREA
        )
        cover = self.texture[..., 3]
        faces, vertices, own_uv = cut_out(self.faces, self.vertices, self.uv, cover)
        share = high / (side + high)
        uv = np.concatenate(
            [head.uv * [1.0, 1.0 - share] + [0.0, share], own_uv * [wide / side, share]]
        )
        mesh = Mesh(
            np.concatenate([head.vertices, vertices]),
            np.concatenate([head.faces, faces + np.int32(len(head.vertices))]),
            uv=uv,
            uv_faces=np.concatenate([head.uv_faces, faces + np.int32(len(head.uv))]),
        )
        return mesh, np.concatenate([texture, below])


def long_hair(
    image: UInt8[np.ndarray, "h w 3"],
    head: PosedHead,
    offsets: Float[np.ndarray, "v 3"],
    texture: UInt8[np.ndarray, "s s 3"],
) -> LongHair | None:
    """The hair that hangs below the ears in a photo; None where it is short or cannot be told.

    Args:
        image: the photo.
        head: where it shows the head, without hair.
        offsets: `hair_offsets` of the head.
        texture: of the head with that hair.
    """
    found = hair_in_photo(image, head, offsets)
    fall = falling_hair(found, head) if found is not None else None
    if found is None or fall is None:
        return None
    curtain = curtain_of(fall, head.model, head.vertices, offsets)
    scalp = scalp_around_axis(head.model, head.vertices + offsets, texture)
    colors = curtain_texture(image, head, found, curtain, scalp)
    return LongHair(curtain.vertices, curtain.normals, curtain.faces, curtain.uv, colors)
