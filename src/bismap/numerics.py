"""How torch computes. It decides results, so it counts as code of every stage that computes with torch."""

import torch


def set_up(threads: int) -> None:
    """Same numbers at every run with the same number of CPU threads, and fp32 that is fp32."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True  # the same sums in the same order at every run (A§2.2)
    torch.backends.cudnn.allow_tf32 = False  # fp32 means 24 bits of mantissa, as on a CPU
