"""Training of one network: warm-up, retraining on pseudo-labels, distillation."""
