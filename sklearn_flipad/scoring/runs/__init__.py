"""Internal: a run of ``score_files`` and what it leaves on disk."""
