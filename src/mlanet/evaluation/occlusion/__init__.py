"""AFLW2000-3D with drawn occluders."""
