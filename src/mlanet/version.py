"""The version of mlanet."""

__version__ = "0.1.0"
