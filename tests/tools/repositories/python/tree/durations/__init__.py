"""Durations as people write them."""

from durations.writing import write

__all__ = ["write"]
