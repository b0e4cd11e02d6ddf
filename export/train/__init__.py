"""Training: face crops, teachers, losses, and a loop that goes on where it was."""
