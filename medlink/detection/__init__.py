"""Text to mentions: dictionary matches, abbreviations, assertion."""
