"""The additive model ``raw = b + beta . x + sum_j w_j[c_j]``: main effects, solved."""
