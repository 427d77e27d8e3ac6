"""Started by path, never imported: each file runs in its client's environment, which does not have edgebert."""
