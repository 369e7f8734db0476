"""How the photographic albedo was made."""
