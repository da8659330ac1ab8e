"""Keeping the site going: what is done to it rather than on it."""
