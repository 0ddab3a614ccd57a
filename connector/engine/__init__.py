"""Everything that decides about many records: one synchronous state machine, told what happened, saying what to do."""
