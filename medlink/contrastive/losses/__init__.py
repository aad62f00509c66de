"""The losses, one file per family: each takes similarities (or embeddings) and the pairs that count."""
