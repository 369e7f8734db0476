"""Readers of other people's face models, one module a family of formats."""
