"""What every page of results is made of: HTML that fetches nothing, and pictures in it."""
