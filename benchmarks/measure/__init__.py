"""Benchmarks as iterators of progress, with a report at any moment."""
