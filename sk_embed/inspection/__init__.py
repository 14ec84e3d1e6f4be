"""Looking at what an encoder has learned: neighbours, similarities, pictures."""

from sk_embed.inspection._embedding_display import EmbeddingDisplay
from sk_embed.inspection._loss_curve_display import LossCurveDisplay
from sk_embed.inspection._neighbors import nearest_categories
from sk_embed.inspection._similarity import similarity

__all__ = ["EmbeddingDisplay", "LossCurveDisplay", "nearest_categories", "similarity"]
