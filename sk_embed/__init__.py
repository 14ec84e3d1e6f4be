"""Category embeddings for scikit-learn, learned without leaking the target."""

from sk_embed._encoder import EmbeddingEncoder

__version__ = "0.1.0"

__all__ = ["EmbeddingEncoder", "__version__"]
