"""Faces of any topology that are compared with scans."""
