"""Contrastive training of an encoder from the synonyms of ontologies, driven by recipes."""
