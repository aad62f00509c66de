"""Recipes, examples and benchmarks."""
