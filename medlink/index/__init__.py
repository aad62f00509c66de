"""Names to nearest names: exact, character n-grams, dense vectors."""
