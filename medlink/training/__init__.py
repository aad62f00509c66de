"""Contrastive training of encoders from ontologies."""
