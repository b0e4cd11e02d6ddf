"""What is checked of the scorer's hardware: equality, its lines."""
