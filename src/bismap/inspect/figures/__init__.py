"""Figures of the paper, drawn from an experiment's own runs."""
