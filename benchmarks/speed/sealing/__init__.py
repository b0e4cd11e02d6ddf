"""What sealing costs."""
