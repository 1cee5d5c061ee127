"""Keeping stores healthy: what is there, whether it is whole, and what can go or come back."""
