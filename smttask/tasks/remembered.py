"""Attributes that are computed when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

__all__ = ["Remembered"]

V = TypeVar("V", covariant=True)


class Remembered(Generic[V]):
    """An attribute that is computed when first asked for and then stands in its object.

    `functools.cached_property` holds a lock for all objects of a class meanwhile (Python 3.11),
    so that a digest which runs a task would keep other threads from theirs. Here two threads
    may compute it at once; all get the value that was there first.

    Examples
    --------
    >>> class Circle:
    ...     radius = 2
    ...
    ...     @Remembered
    ...     def area(self) -> int:
    ...         print("computed")
    ...         return 3 * self.radius**2
    >>> circle = Circle()
    >>> circle.area + circle.area
    computed
    24
    """

    def __init__(self, compute: Callable[[Any], V]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Remembered[V]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> V: ...
    def __get__(self, instance: object | None, owner: type) -> Remembered[V] | V:
        if instance is None:
            return self
        found: V = instance.__dict__.setdefault(self._name, self._compute(instance))
        return found
