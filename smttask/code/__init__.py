"""What a function is and what it reaches: source text and syntax. Runs nothing."""
