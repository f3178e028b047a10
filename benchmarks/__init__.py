"""Measurements: one file answers one question; results with machine and versions are in docs/benchmarks.md."""
