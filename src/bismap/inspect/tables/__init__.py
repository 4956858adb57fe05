"""Runs side by side, as the paper's tables have them."""
