"""Text to mentions: dictionary matches, abbreviations, sections, assertion."""
