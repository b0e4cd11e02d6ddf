"""What covered and drawn faces hide, and what they keep (`sealshot bench deid`)."""
