"""Colour alignment of source images with target images (Global Photometric Alignment, A§1)."""
