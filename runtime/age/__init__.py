"""The age file format (age-encryption.org/v1), as far as sealshot needs it."""
