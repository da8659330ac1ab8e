"""WSGI middleware in front of the applications."""
