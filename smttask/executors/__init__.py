"""Many tasks: worker processes that run description files, and a display of how far they are.

The parent of the workers only reads names of files. It imports neither numpy nor the
user's modules, so its start overlaps with theirs.
"""
