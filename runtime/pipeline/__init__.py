"""From a source to what was seen: stages, selection, the loop, and the sinks that take it."""
