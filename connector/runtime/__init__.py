"""What runs the process. Only `wiring` knows the concrete classes of all rooms."""
