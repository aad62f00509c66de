"""Mentions to links: candidates, ranking, the linker."""
