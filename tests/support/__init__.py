"""Fixtures, clients and servers shared by the tests. No test module imports another test module."""
