"""Corpora, metrics with intervals, and tables."""
