"""Who signs, whom we trust, at what time. Code about keys; never key material."""
