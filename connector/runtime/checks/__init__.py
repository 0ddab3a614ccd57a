"""What can be wrong before a deploy: one check is one function that answers with a `Finding`."""
