"""Bugs that the tests must find: each is put into a copy of the package, and something has to fail."""
