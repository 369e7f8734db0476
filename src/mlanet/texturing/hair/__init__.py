"""Hair: where the photo shows it, how far it stands off the scalp, and what falls as a part."""
