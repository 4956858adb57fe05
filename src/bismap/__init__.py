"""Unsupervised domain adaptation for semantic segmentation, stage by stage (BiSMAP, Lu et al. 2022)."""
