"""The protocol as an explicit-state model, explored in full."""
