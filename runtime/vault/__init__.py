"""The vault: sealed objects on disk, their log, who looks after them, and their way to a server."""
