"""Renderer of street scenes: a small embedded pair of data sets for the demo, the study and the tests.

The source is written in GTA5's layout and looks like a game, the target in Cityscapes' layout and looks like
photographs. Every picture is a function of (seed, domain, split, index) alone. Settings are chosen on
``DEVELOPMENT_SEED``; results are reported on ``EVALUATION_SEEDS``, which nothing may be tuned on.
"""

DEVELOPMENT_SEED = 0
EVALUATION_SEEDS = (101, 102, 103)
