"""How far a loop is, told to whoever shows it: a line in the terminal, or the display of many tasks."""

from smttask.headway.counting import Count, Sink, current_sink, progress, told_to
from smttask.headway.position import Position

__all__ = ["Count", "Position", "Sink", "current_sink", "progress", "told_to"]
