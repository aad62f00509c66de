"""Benchmarks: each a command that prints a table and appends one JSON line a figure."""
