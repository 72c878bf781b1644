"""What parts and processes promise each other: protocols, messages, environment."""
