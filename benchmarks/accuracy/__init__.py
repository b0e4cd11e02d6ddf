"""Does the product do the right thing: quality scores, detection, tracking."""
