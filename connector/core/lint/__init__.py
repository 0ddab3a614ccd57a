"""What is wrong, and what looks wrong, with events: counted as they pass, in bounded memory."""
