"""Multi-anchor pseudo-labels (paper Eq. 4-6): densities of target pixels, threshold, label images."""
