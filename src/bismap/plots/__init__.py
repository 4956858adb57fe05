"""Plots of what the stages produce: one module a plot, with what it computes apart from how it is drawn."""
