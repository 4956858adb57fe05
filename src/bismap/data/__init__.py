"""Data sets: raw layouts, the checked index, images and label files, shards, keyed sampling."""

IGNORE = 255
"""Label of a pixel that belongs to no class, on disk and in memory."""
