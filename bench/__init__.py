"""Measurements: `make bench`. What they mean, and the figures of one machine, are in docs/benchmarks.md."""
