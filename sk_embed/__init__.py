"""Category embeddings for scikit-learn, learned without leaking the target."""

from sk_embed._encoder import EmbeddingEncoder
from sk_embed._skops import SKOPS_TRUSTED

__version__ = "0.1.0"

__all__ = ["SKOPS_TRUSTED", "EmbeddingEncoder", "__version__"]
