"""The version of mlanet."""

__version__ = "0.10.0"
