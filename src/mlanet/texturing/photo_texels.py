"""What of a photo each texel of a texture shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, UInt8

from mlanet.geometry import Camera, Mesh
from mlanet.render.atlas import UvAtlas, vertex_attributes_to_uv
from mlanet.render.coverage import nearest_depth
from mlanet.render.heads import PosedHead
from mlanet.render.rasterize import rasterize
from mlanet.render.renderer import Box
from mlanet.render.sampling import MAX_SIDE

GRAZING = (0.1, 0.3)
"""Cosines of the angle between normal and line of sight: no trust below, full trust above."""

OCCLUDER_MARGIN_MM = 3.0
"""How far around it a part hides what is behind it: outlines never fit to the pixel."""

DEPTH_TOLERANCE_MM = (3.0, 1.5)
"""Skin, and eyes or teeth, this far behind the nearest surface still count as seen."""

HAIR_MM = 25.0
"""How far around another person's head its hair hides what is behind it."""

BORDER = 0.02
"""Width of the fade at the photo's border, of the face's size in the photo."""

BAR_LEVELS = 20
"""Rows and columns at the photo's border that are this near to black or white are no picture."""

MAP_SIDE = 512
"""Longest side in pixels of the depth map that tells what is hidden."""


ENLARGED_ROWS = 256
"""Rows of an enlarged texture that are sampled at once."""


@dataclass(frozen=True, slots=True)
class PhotoTexels:
    """The photo in UV.

    Attributes:
        colors: sRGB, 0 to 255; black where nothing is known.
        weight: trust in them, 0 to 255: falls with the angle of sight and at the photo's border.
        seen: 255 where the surface is seen, else 0.
    """

    colors: UInt8[np.ndarray, "s s 3"]
    weight: UInt8[np.ndarray, "s s"]
    seen: UInt8[np.ndarray, "s s"]


@dataclass(frozen=True)
class Sight:
    """A mesh before a photo, and what hides it.

    Attributes:
        image: the photo.
        points: at vertices x and y in pixels, depth in mm, the cosine between normal and line of
            sight, the share allowed.
        inner: 1 at vertices of parts inside openings, which outlines of the skin hide exactly.
        mesh: gives triangles.
        camera: in pixels of the photo.
        box: what of the photo the mesh covers.
        pixels_across: of the photo that a texture without distortion would be wide.
        before: other heads that hide it.
    """

    image: UInt8[np.ndarray, "h w 3"]
    points: Float[np.ndarray, "v 5"]
    inner: Float[np.ndarray, "v"]
    mesh: Mesh
    camera: Camera
    box: Box
    pixels_across: float
    before: Iterable[PosedHead]

    def texels(self, atlas: UvAtlas) -> PhotoTexels:
        """The photo at the texels of an atlas."""
        from mlanet.texturing.texel_loops import sample_photo

        size = atlas.size
        found = PhotoTexels(
            np.zeros((size, size, 3), np.uint8),
            np.zeros((size, size), np.uint8),
            np.zeros((size, size), np.uint8),
        )
        if self.box[0] >= self.box[2] or self.box[1] >= self.box[3]:
            return found
        photo, scale, origin = self._reduced(self.pixels_across / size)
        maps, map_scale, slopes = self._depth_maps
        left, top, right, bottom = self.box
        sample_photo(
            *atlas.runs_of_faces,
            np.ascontiguousarray(atlas.texels, dtype=np.float32),
            np.ascontiguousarray(atlas.uv_faces, dtype=np.int32),
            np.ascontiguousarray(self.mesh.faces, dtype=np.int32),
            self._faces_seen,
            self._local_points,
            photo,
            scale.astype(np.float32),
            maps,
            np.float32(map_scale),
            np.array(DEPTH_TOLERANCE_MM, np.float32),
            slopes,
            np.float32(GRAZING[0]),
            np.float32(GRAZING[1]),
            np.float32(max(BORDER * max(right - left, bottom - top), 1.0)),
            self._content,
            origin.astype(np.float32),
            found.colors,
            found.weight,
            found.seen,
        )
        return found

    def enlarged(self, atlas: UvAtlas, found: PhotoTexels, size: int) -> PhotoTexels:
        """What `texels` found, at a larger size: places in the photo and weights go smoothly on."""
        import cv2

        flat = np.zeros((size, size, 3), np.uint8)
        weight, seen = (
            cv2.resize(atlas.dilate(plane), (size, size), interpolation=cv2.INTER_LINEAR)
            for plane in (found.weight, found.seen)
        )
        if not found.seen.any():
            return PhotoTexels(flat, weight, seen)
        photo, scale, origin = self._reduced(self.pixels_across / size)
        places = vertex_attributes_to_uv(
            atlas, self.mesh.faces, (self.points[:, :2] - origin) * scale - 0.5
        )
        for first in range(0, size, ENLARGED_ROWS):  # a few rows at a time, for the memory's sake
            rows = slice(first, min(first + ENLARGED_ROWS, size))
            x, y = np.moveaxis(enlarged_rows(places, size, rows), -1, 0)
            flat[rows] = cv2.remap(photo, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return PhotoTexels(flat, weight, seen)

    def _reduced(
        self, pixels_per_texel: float
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
        """The part of the photo with the mesh, its pixels over the photo's, and its corner.

        Averaged down if texels are farther apart than its pixels.
        """
        import cv2

        left, top, right, bottom = self.box
        part = self.image[top:bottom, left:right]
        height, width = part.shape[:2]
        reduction = max(pixels_per_texel, max(height, width) / MAX_SIDE)
        if reduction > 1.25:
            size = (int(np.ceil(width / reduction)), int(np.ceil(height / reduction)))
            part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        scale = np.array([part.shape[1] / width, part.shape[0] / height])
        return np.ascontiguousarray(part), scale, np.array([left, top], dtype=np.float64)

    @cached_property
    def _content(self) -> Box:
        return content_box(self.image)

    @cached_property
    def _local_points(self) -> Float[np.ndarray, "v 5"]:
        """The points from the box's corner, float32."""
        left, top = self.box[:2]
        return (self.points - [left, top, 0.0, 0.0, 0.0]).astype(np.float32)

    @cached_property
    def _faces_seen(self) -> Int[np.ndarray, "f"]:
        """0 for triangles that show nothing, else 1 plus the number of their depth map."""
        first, second, third = np.ascontiguousarray(self.mesh.faces.T)
        towards = (self.points[:, 3] > GRAZING[0]) & (self.points[:, 4] > 0.0)
        number = 1 + (self.inner > 0.5).astype(np.uint8)
        return (towards[first] | towards[second] | towards[third]) * number[first]

    @cached_property
    def _depth_maps(self) -> tuple[Float[np.ndarray, "2 h w"], float, Float[np.ndarray, "2"]]:
        """Nearest depths for skin and for inner parts, their scale, and what a slope adds."""
        import cv2

        left, top, right, bottom = self.box
        scale = min(1.0, MAP_SIDE / max(right - left, bottom - top))
        size = (int(np.ceil((bottom - top) * scale)), int(np.ceil((right - left) * scale)))
        origin, stretched = np.array([left, top, 0.0]), np.array([scale, scale, 1.0])
        faces = np.ascontiguousarray(self.mesh.faces, dtype=np.int32)
        depth = nearest_depth((self.points[:, :3] - origin) * stretched, faces, size)
        pixel_mm = float(np.median(self.points[:, 2])) / (self.camera.focal_length_px * scale)
        radius = int(np.clip(round(OCCLUDER_MARGIN_MM / pixel_mm), 1, 8))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        maps = np.stack([np.asarray(cv2.erode(depth, disc)), depth])
        for head in self.before:
            maps[:, _around(head, origin, stretched, size)] = 0.0
        return maps, scale, np.array([(radius + 1) * pixel_mm, pixel_mm], dtype=np.float32)


def enlarged_rows(
    plane: Float[np.ndarray, "s s c"], size: int, rows: slice
) -> Float[np.ndarray, "r n c"]:
    """Some rows of a plane that is enlarged to `size`, bilinear."""
    import cv2

    ratio = len(plane) / size
    to_plane = np.array([[ratio, 0.0, 0.5 * ratio - 0.5], [0.0, ratio, 0.0]])
    to_plane[1, 2] = (rows.start + 0.5) * ratio - 0.5
    return cv2.warpAffine(
        plane,
        to_plane,
        (size, rows.stop - rows.start),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def content_box(image: UInt8[np.ndarray, "h w 3"]) -> Box:
    """The photo without black or white bars at its border."""
    rows, columns = (
        _content_span(np.moveaxis(image, axis, 0)[:, :: max(1, image.shape[1 - axis] // 256)])
        for axis in (0, 1)
    )
    return columns[0], rows[0], columns[1], rows[1]


def _content_span(lines: UInt8[np.ndarray, "n m 3"]) -> tuple[int, int]:
    """The first line that is no bar, and the one after the last."""
    first, last = 0, len(lines)
    while first < last and _is_bar(lines[first]):
        first += 1
    while last > first and _is_bar(lines[last - 1]):
        last -= 1
    return first, last


def _is_bar(line: UInt8[np.ndarray, "m 3"]) -> bool:
    return bool(line.max() <= BAR_LEVELS or line.min() >= 255 - BAR_LEVELS)


def _around(
    head: PosedHead,
    origin: Float[np.ndarray, "3"],
    stretched: Float[np.ndarray, "3"],
    size: tuple[int, int],
) -> np.ndarray:
    """Which pixels of a part of the photo show a head or lie within `HAIR_MM` of it."""
    import cv2

    reach = HAIR_MM / head.mm_per_px * float(stretched[0])
    margin = int(np.ceil(reach))  # what lies beside the part reaches into it
    local = (head.projected - origin) * stretched + [margin, margin, 0.0]
    wide = (size[0] + 2 * margin, size[1] + 2 * margin)
    outside = ~rasterize(local, head.model.topology.faces, wide).mask
    if outside.all():
        return np.zeros(size, dtype=bool)
    away = cv2.distanceTransform(outside.astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(away)[margin : margin + size[0], margin : margin + size[1]] <= reach
