"""Text to mentions: dictionary matches, abbreviations, negation."""
