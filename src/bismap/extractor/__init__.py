"""The network that judges transferability, its pre-training, and the cell features it gives."""
