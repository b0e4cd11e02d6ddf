"""sealshot in programs of others: each file is one that runs."""
