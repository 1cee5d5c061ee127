"""Graphs of tasks, and their pictures; networkx is imported when the first graph is made."""
