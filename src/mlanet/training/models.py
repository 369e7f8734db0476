"""Which face model a run learns the coefficients of, and the network that regresses them."""

from dataclasses import replace
from pathlib import Path

from mlanet.errors import ConfigurationError
from mlanet.morphable import MorphableModel, load_model
from mlanet.network import NetworkConfig
from mlanet.training.config import TrainingConfig

REGIONS = ("face", "eyes", "mouth")
"""What the objective needs to know where it is."""

COLOR_TERMS = ("photometric", "identity_features", "albedo_uniformity")
"""Of `RenderedWeights`."""


def open_face_model(config: TrainingConfig) -> MorphableModel:
    """The embedded face model, or the file that the configuration names.

    Raises:
        AssetError: the file is missing or damaged.
        ConfigurationError: the model lacks what the configuration asks for.
    """
    if not config.face_model:
        return load_model()
    model = load_model(Path(config.face_model))
    lacking = [name for name in REGIONS if name not in model.regions]
    if lacking:
        raise ConfigurationError(
            f"face_model: {config.face_model} lacks the region {lacking[0]!r}: "
            "mlanet models convert adds it"
        )
    colors = ["weights.photometric"] if config.weights.photometric > 0.0 else []
    if config.num_unlabelled or config.labelled_rendered > 0.0:
        weights = config.unlabelled_weights
        used = [name for name in COLOR_TERMS if getattr(weights, name) > 0.0]
        colors += [f"unlabelled_weights.{name}" for name in used]
        if weights.symmetry > 0.0 and not len(model.mirror):
            raise ConfigurationError(
                "unlabelled_weights.symmetry: the mirror image of the face model is not known"
            )
    if colors and not model.has_albedo:
        raise ConfigurationError(f"{colors[0]}: the face model {model.name} has no albedo")
    return model


def network_for(config: TrainingConfig, model: MorphableModel) -> NetworkConfig:
    """The preset's network with the coefficients of the face model.

    The kind of rotation stays the preset's; expressions are bounded if they are the model's.

    Raises:
        ConfigurationError: there is no such preset, attention or fusion.
    """
    network = config.network()
    return replace(
        network,
        layout=replace(model.layout, rotation=network.layout.rotation),
        bounded_expression=model.expression_bounded,
    )
