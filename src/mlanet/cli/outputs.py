"""What a command writes of each photo: the options, checked."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import tyro

from mlanet.cli.common import Flag, SomeInt
from mlanet.errors import UsageError

if TYPE_CHECKING:
    from mlanet.morphable import MorphableModel
    from mlanet.texturing import TextureChoice


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is written."""

    formats: Annotated[str, tyro.conf.arg(metavar="NAMES")] = "glb,json"
    """Files of each face, separated by commas: glb, obj, ply, usdz, json, pts, blender (the photo's
    camera)."""

    mesh: Literal["head", "face"] = "head"
    """What meshes show: the whole head, or the face alone with eyes and teeth."""

    texture: Literal["lit", "delit", "both"] = "lit"
    """The texture as the photo is lit, or with the light's brightness divided out, for programs
    that light it anew; both: lit, and face_NN.texture-delit.png."""

    texture_mask: Flag = False
    """Write face_NN.texture-mask.png: white where the texture is the photo's own, black where it
    was completed."""

    texture_size: SomeInt = None
    """Texels across, 64 to 4096; without it 256, 512 or 1024, the smallest that does not lose the
    photo's detail."""

    detail: Flag = False
    """Give GLB files and the page a normal map of what is finer than the mesh, such as wrinkles,
    from the photo's shading."""

    no_hair: Flag = False
    """Leave the face model's mesh as it is, and paint hair on it, instead of letting hair stand off
    and fall as far as the photo shows."""

    draw: Annotated[str, tyro.conf.arg(metavar="NAMES", help_behavior_hint="")] = ""
    """More pictures, separated by commas: shape, depth, normal, uv, pncc, parts, parts-whole, pose,
    landmarks."""

    @property
    def format_names(self) -> tuple[str, ...]:
        """The formats, each once."""
        return tuple(dict.fromkeys(name.strip() for name in self.formats.split(",")))

    @property
    def pictures(self) -> tuple[str, ...]:
        """The kinds of pictures, each once, `overlay` first."""
        kinds = [kind.strip() for kind in self.draw.split(",")] if self.draw else []
        return tuple(dict.fromkeys(["overlay", *kinds]))

    @property
    def texture_choice(self) -> "TextureChoice":
        """The textures that are wanted."""
        from mlanet.texturing import TextureChoice

        return TextureChoice(
            self.texture, self.texture_mask, self.texture_size, self.detail, not self.no_hair
        )

    def check(self) -> None:
        """See that there are such formats and pictures, and textures of that size.

        Raises:
            UsageError: there is none of a name (the message lists them), its extra is missing, or
                the size is out of range.
        """
        from mlanet.export import FORMATS, check_formats
        from mlanet.render import PICTURES
        from mlanet.texturing import LEAST_TEXTURE, MOST_TEXTURE

        size = self.texture_size
        if size is not None and not LEAST_TEXTURE <= size <= MOST_TEXTURE:
            limits = f"{LEAST_TEXTURE} to {MOST_TEXTURE}"
            raise UsageError(f"--texture-size must be {limits} texels, got {size}")

        for option, names, known in (
            ("--formats", self.format_names, FORMATS),
            ("--draw", self.pictures, PICTURES),
        ):
            for name in names:
                if name not in known:
                    what = f"knows no {name!r}" if name else "has an empty name"
                    raise UsageError(f"{option} {what}: {', '.join(known)}")
        check_formats(self.format_names)

    def check_model(self, model: "MorphableModel") -> None:
        """See that the face model has what is wanted: a face to cut out, a texture.

        Raises:
            UsageError: it has not.
        """
        from mlanet.export import face_height
        from mlanet.texturing import AS_PHOTOGRAPHED

        if replace(self.texture_choice, hair=True) != AS_PHOTOGRAPHED and not (
            len(model.uv) and model.has_albedo
        ):
            lacking = "texture coordinates" if model.has_albedo else "albedo"
            raise UsageError(f"--texture..., --detail: face model {model.name} has no {lacking}")

        if self.mesh == "face":
            try:
                face_height(model)
            except ValueError as error:
                raise UsageError(f"--mesh face: the face model {model.name} has {error}") from error

    def record(self) -> dict[str, Any]:
        """The options as plain values, equal where results are."""
        lists = {"formats": sorted(self.format_names), "draw": sorted(self.pictures)}
        return asdict(self) | lists


OutputOptions: TypeAlias = Annotated[Outputs, tyro.conf.OmitArgPrefixes]
