"""Pure rooms: values and decisions. No await, clock, chance, I/O or logging; everything here has a law."""
