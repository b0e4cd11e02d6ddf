"""One page of all results: each number names the file and the field that it comes from."""
