"""Predictions and pseudo-labels measured against the truth."""
