"""Contrastive training of encoders on the names of ontologies."""
