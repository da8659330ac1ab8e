"""The language of a page, and the translation catalogs."""
