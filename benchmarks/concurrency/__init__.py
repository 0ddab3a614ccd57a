"""How many posts under way: our limit beside those of the literature, in a simulation of the vendor's queue."""
