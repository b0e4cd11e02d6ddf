"""Whole pipelines of others on the same clips: who is found, how fast, and what picture is kept."""
