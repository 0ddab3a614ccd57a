"""I/O: one file or folder per neighbour, each with its one library; third-party exceptions stop here."""
