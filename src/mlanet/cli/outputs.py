"""What a command writes of each photo: the options, checked."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import tyro

from mlanet.errors import UsageError

if TYPE_CHECKING:
    from mlanet.morphable import MorphableModel


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is written."""

    formats: str = "glb,json"
    """Files of each face, separated by commas: glb, obj, ply, usdz, json, pts, blender (the photo's
    camera)."""

    mesh: Literal["head", "face"] = "head"
    """What meshes show: the whole head, or the face alone with eyes and teeth."""

    draw: str = ""
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

    def check(self) -> None:
        """See that there are such formats and pictures.

        Raises:
            UsageError: there is none of a name (the message lists them), or its extra is missing.
        """
        from mlanet.export import FORMATS, check_formats
        from mlanet.render import PICTURES

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
        """See that the face model tells where its face is, if the face alone is wanted.

        Raises:
            UsageError: it does not.
        """
        from mlanet.export import face_height

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
