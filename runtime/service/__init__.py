"""All cameras of a box in one process that runs for years: configuration, state, events."""
