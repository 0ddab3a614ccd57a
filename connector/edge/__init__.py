"""I/O: one file per neighbour, each with its one library; third-party exceptions stop here."""
