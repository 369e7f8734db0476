"""How the shipped network was carried over to another face model."""
