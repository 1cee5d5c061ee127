"""What mypy and pyright see for `Array` and `NPValue`; nothing imports this at run time.

Both names take values, not only types, in their brackets, and lists where an array
is meant, which no single definition tells every checker. To mypy they are Any. To
pyright they are an array or Any; there the number of axes is written ``Literal[2]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from typing_extensions import TypeAliasType, TypeVar

__all__ = ["AnyValue", "ArrayAlias", "ScalarAlias"]

AnyValue: Any
_DType = TypeVar("_DType", default=Any)
_NDim = TypeVar("_NDim", default=Any)
ArrayAlias = TypeAliasType("ArrayAlias", np.ndarray[Any, np.dtype[Any]] | Any, type_params=(_DType, _NDim))
ScalarAlias = TypeAliasType("ScalarAlias", np.generic | Any, type_params=(_DType,))
