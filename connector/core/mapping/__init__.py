"""From a producer's own event to the fields of ours, by rules that are data and a closed set of functions."""
