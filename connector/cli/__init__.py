"""One command a file; only `wiring` knows the concrete classes."""
