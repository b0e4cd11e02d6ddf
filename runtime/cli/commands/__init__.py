"""The commands of the `sealshot` program, one module each."""
