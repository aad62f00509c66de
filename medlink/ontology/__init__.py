"""Ontology files in, a searchable Lexicon out; the catalogue of known ontologies."""
