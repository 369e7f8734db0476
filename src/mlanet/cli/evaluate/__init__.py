"""`mlanet evaluate`: one module a protocol."""
