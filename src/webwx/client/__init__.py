"""What scripts import: one client to await, one to call."""
