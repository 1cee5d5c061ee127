"""What is kept about a run: one Sumatra record each, and where its facts come from."""
