"""Fixtures, clients and servers that tests share. No test module imports another test module."""
