"""How far a loop is, told to whoever shows it: a line in the terminal, or the display of many tasks."""

from smttask.headway.counting import Count, Sink, progress, told_to
from smttask.headway.position import Position, duration_text

__all__ = ["Count", "Position", "Sink", "duration_text", "progress", "told_to"]
