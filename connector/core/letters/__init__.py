"""Dead letters after they were written: read, chosen, counted, and decided about. Nothing here writes one."""
