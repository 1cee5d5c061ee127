"""One file per kind of file: how a value is saved and loaded the same."""
