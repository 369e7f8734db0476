"""MICC Florence: identity from videos against frontal scans, in mm."""
