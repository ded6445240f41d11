"""How an option is declared: with its default in a frozen dataclass, everything else in the field's metadata."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, field, fields, replace
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from napari_tcgn.errors import SettingsError

_KEY = "option"
_known: dict[type, tuple[Option, ...]] = {}  # types are resolved once


@dataclass(frozen=True, slots=True)
class Option:
    """What is known of one option.

    Attributes
    ----------
    help : str
        A sentence, for `--help`, tooltips and docs/options.md.
    more : str
        What else is to be known of it, for tooltips and docs/options.md.
    unit : str
        Such as "µm"; "" for a plain number.
    label : str
        In forms; "" takes the name.
    at_least, above, at_most, below : float or None
        The range of a number; `above` and `below` are not part of it.
    form : (float, float) or None
        What a form offers of the range.
    decimals : int
        Shown in forms.
    if_none : str
        What a form and the preferences call None, which stands for a choice made by the program.
    declared_flags : tuple of str
        On the command line, where they are not `--name`; "--yes/--no" for a yes or no.
    name : str
    annotation : type
    kind : type
        bool, int, float or str.
    optional : bool
        Whether it may be None.
    default : object
    choices : tuple of str
        Empty where any value of the kind will do.
    """

    help: str
    more: str = ""
    unit: str = ""
    label: str = ""
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    form: tuple[float, float] | None = None
    decimals: int = 0
    if_none: str = ""
    declared_flags: tuple[str, ...] = ()
    # Told by the field itself:
    name: str = ""
    annotation: Any = str
    kind: type = str
    optional: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """What it is called on the command line, as Typer declares it: "--name" or "--yes/--no"."""
        if self.declared_flags:
            return self.declared_flags
        flag = f"--{self.name.replace('_', '-')}"
        return (f"{flag}/--no-{flag[2:]}",) if self.kind is bool and self.default else (flag,)

    def flag_of(self, value: object) -> str:
        """The flag that gives it a value: of a yes or no the side that says so, "" where none does."""
        yes, _, no = self.flags[0].partition("/")
        return no if self.kind is bool and not value else yes

    @property
    def parameter(self) -> str:
        """The name of its value among those of a command."""
        return self.flags[0].partition("/")[0].removeprefix("--").replace("-", "_")

    @property
    def expected_kind(self) -> str:
        """Which values are of its kind, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return {bool: "true or false", int: "a whole number", float: "a finite number", str: "a text"}[self.kind]

    @property
    def expected_range(self) -> str:
        """The range of a number in words; "" where there is none."""
        if self.at_most is None and self.below is None:
            if self.above == 0:
                return f"a positive number of {self.unit}" if self.unit else "positive"
            if self.at_least is not None:
                return "zero or positive" if self.at_least == 0 else f"at least {self.at_least:g}"
            return ""
        start = f"from {self.at_least:g} to" if self.above is None else f"above {self.above:g}, to"
        return f"{start} {self.at_most:g}" if self.below is None else f"{start} below {self.below:g}"

    def is_of_kind(self, value: object) -> bool:
        """Tell whether a value is of the option's type, and one of its choices."""
        if value is None:
            return self.optional
        if self.choices:
            return value in self.choices
        if self.kind is bool or isinstance(value, bool):
            return self.kind is bool and isinstance(value, bool)
        if self.kind is int:
            return isinstance(value, Integral)
        if self.kind is float:
            return isinstance(value, Real) and math.isfinite(value)
        return isinstance(value, str)

    def is_in_range(self, value: Any) -> bool:
        """Tell whether a value of the option's kind is one that it may have."""
        return value is None or (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )


def option(default: Any, help: str, *flags: str, **rest: Any) -> Any:
    """Declare an option: a dataclass field with its default, and the rest of `Option` in the metadata."""
    return field(default=default, metadata={_KEY: Option(help=help, declared_flags=flags, **rest)})


def options_of(settings: type) -> tuple[Option, ...]:
    """Return the options that a settings dataclass declares, in their order."""
    if settings not in _known:
        hints = get_type_hints(settings)
        _known[settings] = tuple(
            _resolved(one.metadata[_KEY], one.name, hints[one.name], one.default) for one in fields(settings)
        )
    return _known[settings]


def option_of(settings: type, name: str) -> Option:
    """Return one option of a settings dataclass by its name."""
    return next(one for one in options_of(settings) if one.name == name)


def _resolved(declared: Option, name: str, annotation: Any, default: Any) -> Option:
    if default is MISSING:
        raise TypeError(f"The option {name} has no default.")
    union = get_origin(annotation) in (Union, UnionType)
    parts = [part for part in get_args(annotation) if part is not NoneType] if union else [annotation]
    choices = get_args(parts[0]) if get_origin(parts[0]) is Literal else ()
    return replace(
        declared,
        name=name,
        annotation=annotation,
        kind=str if choices else parts[0],
        optional=union and NoneType in get_args(annotation),
        default=default,
        choices=choices,
    )


def require(condition: bool, name: str, expected: str, found: object, where: str = "") -> None:
    """Refuse a value.

    Raises
    ------
    SettingsError
        Saying what was expected and what was found.
    """
    if not condition:
        raise SettingsError(f"{where}{name} must be {expected}, found {found!r}.", f"Give {name} such a value.")


def check_kinds(settings: type, values: dict[str, Any], where: str = "") -> None:
    """Refuse values, by the options' names, that are not of their option's kind."""
    for name, value in values.items():
        one = option_of(settings, name)
        require(one.is_of_kind(value), name, one.expected_kind, value, where)


def check(settings: Any) -> None:
    """Refuse settings with a value that is not of its option's kind or range; rules between options are their own."""
    for one in options_of(type(settings)):
        value = getattr(settings, one.name)
        require(one.is_of_kind(value), one.name, one.expected_kind, value)
        require(one.is_in_range(value), one.name, one.expected_range, value)
