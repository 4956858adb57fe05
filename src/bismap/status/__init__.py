"""Where an experiment stands: read from logs, locks, states and results. Imports neither torch nor numpy."""
