"""Languages of the page: which one a visitor gets, and the translated texts."""
