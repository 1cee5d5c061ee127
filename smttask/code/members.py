"""A class statement in parts: its head, and each method by itself."""

from __future__ import annotations

import ast

from smttask.code.bindings import Node
from smttask.code.names import FUNCTIONS
from smttask.code.syntax import with_fields

__all__ = ["class_head", "methods"]


def class_head(node: ast.ClassDef) -> Node:
    """Give the class statement without its methods and inner classes: bases, decorators, attributes."""
    kept = [statement for statement in node.body if not isinstance(statement, (*FUNCTIONS, ast.ClassDef))]
    return with_fields(node, {"body": kept})


def methods(node: ast.ClassDef) -> dict[str, list[Node]]:
    """Give methods and inner classes by name; a property's getter and setter share theirs."""
    found: dict[str, list[Node]] = {}
    for statement in node.body:
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            found.setdefault(statement.name, []).append(statement)
    return found
