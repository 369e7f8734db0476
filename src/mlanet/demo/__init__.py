"""A page on which photos become heads. Its server decodes nothing: a worker process does."""

from mlanet.demo.limits import Limits

__all__ = ["Limits"]
