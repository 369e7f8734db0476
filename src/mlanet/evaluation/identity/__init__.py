"""Verification of people by what a network says of them."""
