"""`make rehearse`: each incident happens for real, its alert fires, its runbook is followed, and it resolves."""
