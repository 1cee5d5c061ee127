"""Foreign types that a user makes known in one place."""

import json
import operator
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pint
import pytest

import smttask
from smttask.errors import DigestError, InputError, RegistrationError
from smttask.extras import is_installed
from smttask.formats.registry import choose
from smttask.identity import canonical_bytes
from smttask.typing import registry
from smttask.typing.jsonform import from_json, to_json
from smttask.typing.ownership import fresh, owned
from smttask.typing.validation import Validator


class Tensor:
    """A stand-in for the tensors of a library: data, a device, no ``==`` that gives a bool."""

    def __init__(self, data, device="cpu"):
        self.data = np.asarray(data)
        self.device = device


class Point:
    """A class of plain slots, without ``==``."""

    __slots__ = ("x", "y")

    def __init__(self, x, y=0):
        self.x, self.y = x, y


class Reading:
    """A class that tells when two are equal."""

    def __init__(self, value, unit=""):
        self.value, self.unit = value, unit

    def __eq__(self, other):
        return isinstance(other, Reading) and vars(self) == vars(other)

    __hash__ = None


@pytest.fixture(autouse=True)
def forget():
    """Each test begins without what others registered."""
    yield
    for name in ("lab.Tensor", "lab.Point", "lab.Reading", "lab.Other", "pint.Quantity", "torch.Tensor"):
        entry = registry.entry_named(name)
        if entry is not None:
            registry.forget_entry(entry)


def register_tensor(**options):
    smttask.register_type(
        Tensor,
        to_plain=lambda tensor: {"data": tensor.data, "device": tensor.device},
        from_plain=lambda plain: Tensor(np.array(plain["data"]), plain["device"]),
        name="lab.Tensor",
        **options,
    )


def test_a_registered_type_is_a_value_like_others():
    """Its values are digested, written, read, copied and stored, at any depth of the data."""
    register_tensor(example=Tensor([1.0, 2.0]))
    tensor = Tensor(np.arange(20_000.0), "gpu")
    twin = from_json(json.loads(json.dumps(to_json([tensor]))))[0]
    assert (twin.data.tolist(), twin.device) == (tensor.data.tolist(), "gpu")
    assert canonical_bytes(twin) == canonical_bytes(tensor) != canonical_bytes(Tensor(tensor.data))
    for copy in (owned, fresh):
        copied = copy(tensor)
        tensor.data[0] += 1
        assert copied.data[0] == tensor.data[0] - 1
    assert choose({"x": tensor}).format.name == "npz"
    assert Validator(list[Tensor])([tensor])[0] is tensor
    with pytest.raises(InputError, match="expected a Tensor"):
        Validator(Tensor)([1.0])


def test_quantities_of_pint_are_values():
    """A quantity keeps magnitude, array or number, and unit."""
    units = pint.get_application_registry()
    smttask.register_type(
        pint.Quantity,
        to_plain=lambda quantity: [quantity.magnitude, str(quantity.units)],
        from_plain=lambda plain: units.Quantity(*plain),
        convert=units.Quantity,
        name="pint.Quantity",
        subclasses=True,
        example=units.Quantity(2.5, "mV"),
    )
    speed = units.Quantity(np.array([1.0, 2.0]), "m/s")
    twin = from_json(json.loads(json.dumps(to_json(speed))))
    assert twin.units == speed.units
    assert twin.magnitude.tolist() == [1.0, 2.0]
    assert canonical_bytes(twin) == canonical_bytes(speed) != canonical_bytes(speed.to("km/h"))
    assert Validator(pint.Quantity)("3 mV") == units.Quantity(3, "mV")


@pytest.mark.parametrize(
    ("to_plain", "from_plain", "found"),
    [
        (lambda r: r.value, Reading, "does not equal what came back"),
        (lambda r: [r.value, r.unit], lambda plain: Reading(plain[0]), "came back as"),
        (lambda r: [r.value, r.unit], lambda plain: plain, "from_plain gave a list"),
        (lambda r: [r.value, r.unit], int, "from_plain raised TypeError"),
        (lambda r: r.nothing, Reading, "to_plain raised AttributeError"),
        (lambda r: SimpleNamespace(), Reading, "to_plain gives what is not plain"),
    ],
)
def test_a_round_trip_that_loses_something_is_found_at_registration(to_plain, from_plain, found):
    """With an example, what does not come back the same is refused before anything is stored."""
    with pytest.raises(RegistrationError, match=found) as caught:
        smttask.register_type(Reading, to_plain, from_plain, name="lab.Reading", example=Reading(1.5, "mV"))
    assert "do not come back the same" in str(caught.value)
    assert registry.entry_of(Reading) is None


def test_without_an_example_it_is_found_at_first_use():
    """The first value is checked whatever is done with it; nothing is digested or written before."""
    smttask.register_type(Point, lambda point: point.x, Point, name="lab.Point")
    for use in (canonical_bytes, to_json, owned):
        with pytest.raises(RegistrationError, match="attribute 'y' came back as 0"):
            use(Point(1, 2))
    assert to_json(Point(1)) == {"$lab.Point": 1}


def test_what_counts_may_be_said():
    """`is_same` decides where attributes or == would say too much."""
    same = {"is_same": lambda left, right: left.x == right.x}
    smttask.register_type(Point, lambda p: p.x, Point, name="lab.Point", example=Point(1, 2), **same)
    assert to_json(Point(3, 4)) == {"$lab.Point": 3}
    with pytest.raises(RegistrationError, match="is_same is false"):
        smttask.register_type(
            Point, lambda p: p.x, Point, name="lab.Point", example=Point(1), is_same=operator.is_
        )


def test_values_that_do_not_equal_themselves_are_fine():
    """NaN in a value is no difference."""
    smttask.register_type(
        Reading, lambda r: [r.value, r.unit], lambda plain: Reading(*plain), name="lab.Reading",
        example=Reading(float("nan")),
    )  # fmt: skip
    assert to_json(Reading(1.0))["$lab.Reading"] == [1.0, ""]
    smttask.register_type(
        Point, lambda p: p.x, Point, name="lab.Point", example=Point(float("nan")),
        is_same=lambda left, right: left.x == right.x,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("cls", "name", "found"),
    [
        (list, "lab.Other", "knows the class itself"),
        (np.ndarray, "lab.Other", "knows the class itself"),
        (slice, "lab.Other", "knows the class itself"),
        (3, "lab.Other", "is no class"),
        (Point, "point", "not of the form"),
        (Point, "lab.Tensor", "belongs to"),
        (type("Local", (), {"__qualname__": "f.<locals>.Local"}), None, "defined inside a function"),
    ],
)
def test_what_cannot_be_registered_is_said(cls, name, found):
    """Known classes, taken or malformed names and classes that nobody finds again are refused."""
    register_tensor()
    with pytest.raises(RegistrationError, match=found):
        smttask.register_type(cls, lambda value: 0, lambda plain: cls, name=name)


def test_a_reloaded_module_registers_again():
    """The class of a reloaded module takes the place of the old one."""
    register_tensor()
    newer = type("Tensor", (Tensor,), {"__module__": Tensor.__module__, "__qualname__": "Tensor"})
    smttask.register_type(newer, lambda t: t.data, newer, name="lab.Tensor")
    assert registry.entry_named("lab.Tensor").cls is newer
    with pytest.raises(DigestError, match="register_type"):
        canonical_bytes(Tensor([1]))


def test_values_of_an_unknown_type_say_what_to_import():
    """A file with a type that nobody registered here names the way out."""
    with pytest.raises(smttask.errors.DescriptionError, match="import the module that registers the type"):
        from_json({"$lab.Unknown": 1})


if is_installed("torch"):  # too large for the environment of every developer

    def test_tensors_of_torch_are_values():
        """The lines of the how-to make tensors values, those of other dtypes and with NaN too."""
        import torch

        page = Path(__file__).parents[2] / "docs" / "howto" / "types.md"
        lines = re.search(r"```py\n(import numpy.*?)```", page.read_text(), re.DOTALL)
        assert lines is not None
        exec(lines[1], {})  # noqa: S102 - our own documentation
        tensors = [
            torch.arange(6).reshape(2, 3).T,
            torch.zeros(0, 3),
            torch.tensor([1j, 2]),
            torch.tensor(True),
        ]
        for tensor in [*tensors, torch.tensor([float("nan"), 1.0])]:
            twin = from_json(json.loads(json.dumps(to_json(tensor))))
            assert (twin.dtype, twin.shape) == (tensor.dtype, tensor.shape)
            assert canonical_bytes(twin) == canonical_bytes(tensor)
            assert np.array_equal(twin, tensor, equal_nan=True)
        with pytest.raises(RegistrationError, match="BFloat16"):
            to_json(torch.ones(2, dtype=torch.bfloat16))
