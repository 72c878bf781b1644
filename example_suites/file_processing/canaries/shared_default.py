"""A list that all calls share."""


def remember(word, seen=[]):
    """Add a word to those that were seen, of this caller or of any."""
    seen.append(word)
    return seen
