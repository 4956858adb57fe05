"""Multi-Anchor Prototypes: correctly classified source features, one Gaussian mixture a class (A§3, A§4)."""
