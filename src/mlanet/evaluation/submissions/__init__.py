"""Prediction files for benchmarks that score themselves."""
