"""Sparse and dense alignment, 3D reconstruction and head pose on AFLW2000-3D."""
