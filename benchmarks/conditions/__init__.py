"""What a result file says of the machine, the moment and the spread."""
