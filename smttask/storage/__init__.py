"""Results on disk: found by name, loaded checked, written whole or not at all."""
