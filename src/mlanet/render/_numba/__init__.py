"""Compiled loops over pixels, triangles and edges, one image a call, free of the GIL.

Importing a module of this package imports numba; do it inside functions.
"""
