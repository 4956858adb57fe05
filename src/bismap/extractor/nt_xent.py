"""Normalised temperature-scaled cross-entropy of SimCLR (Chen et al. 2020, Eq. 1)."""

import torch
import torch.nn.functional as F


def similarity_logits(projections: torch.Tensor, temperature: float) -> torch.Tensor:
    """Cosine similarities [2n, 2n] over the temperature; a view with itself is -inf."""
    unit = F.normalize(projections, dim=1)
    logits = unit @ unit.T / temperature
    return logits.masked_fill(torch.eye(len(unit), dtype=torch.bool, device=unit.device), float("-inf"))


def nt_xent(projections: torch.Tensor, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean loss over all views, and the share of views whose nearest other view is their partner.

    Args:
        projections: [2n, d]; rows 2i and 2i + 1 are the two views of one window.
        temperature: tau, > 0.
    """
    logits = similarity_logits(projections, temperature)
    partner = torch.arange(len(logits), device=logits.device) ^ 1
    return F.cross_entropy(logits, partner), (logits.argmax(1) == partner).float().mean()
