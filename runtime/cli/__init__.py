"""The `sealshot` program: commands, arguments, and what a person reads."""
