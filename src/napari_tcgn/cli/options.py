"""Options of the commands, made from their declarations in `napari_tcgn.options`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import typer

from napari_tcgn.options import MPP_HELP, RENAMED, Option, options_of

Settings = TypeVar("Settings")


def decimal(text: str | float) -> float:
    """Read a number with a point or a comma, as the dock does; a default is one already."""
    try:
        return float(str(text).replace(",", "."))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number: write it like 0.688.") from None


Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace results that exist already.")]
Mpp = Annotated[float | None, typer.Option(help=MPP_HELP, parser=decimal, metavar="FLOAT")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]

_CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class Offer:
    """What of a settings dataclass a command offers; the rest keeps its default.

    Attributes
    ----------
    only : tuple of str
        Names of options; empty: all.
    unset : tuple of str
        Names of options that are None unless they are given.
    begins : str
        What the help of every option (but those of `unset`) begins with.
    """

    only: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    begins: str = ""

    def of(self, settings: type) -> tuple[Option, ...]:
        """Return the options that are offered."""
        return tuple(one for one in options_of(settings) if not self.only or one.name in self.only)


@dataclass(frozen=True, slots=True)
class Given(Generic[Settings]):
    """The options of a settings dataclass as the command line has them, where a command has more to say on them.

    Attributes
    ----------
    kind : type
        The settings dataclass.
    values : dict
        Of every option that is offered, by its name.
    typed : frozenset of str
        Names of the options that stand on the command line.
    """

    kind: type[Settings]
    values: dict[str, Any]
    typed: frozenset[str]

    def changed(self) -> set[str]:
        """Return the names of the options that differ from their defaults."""
        return {one.name for one in options_of(self.kind) if self.values[one.name] != one.default}

    def over(self, others: dict[str, Any]) -> Settings:
        """Return the settings: what stands on the command line, else `others`, else the defaults."""
        return self.kind(**(others | {name: self.values[name] for name in self.typed}))


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Make the parameters of a command that are settings into their options.

    A parameter that is annotated with a settings dataclass (or `Given` of one, or either in `Annotated` with an
    `Offer`) is replaced, in its place, by the options that the dataclass declares; the command gets the settings.
    """
    hints = get_type_hints(command, include_extras=True)
    settings: dict[str, tuple[type, bool, Offer]] = {}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        found = _settings_of(hints[name])
        if found is None:
            parameters.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        settings[name] = found
        parameters += [_parameter(one, found[2]) for one in found[2].of(found[0])]
    parameters.append(inspect.Parameter(_CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context))

    def run(**given: Any) -> None:
        context: typer.Context = given.pop(_CONTEXT)
        for name, (kind, as_given, offer) in settings.items():
            offered = {one.name: one.parameter for one in offer.of(kind)}
            values = {option: given.pop(parameter) for option, parameter in offered.items()}
            typed = frozenset(option for option, parameter in offered.items() if _is_typed(context, parameter))
            given[name] = Given(kind, values, typed) if as_given else kind(**values)
        command(**given)

    run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
    return run


def _settings_of(hint: Any) -> tuple[type, bool, Offer] | None:
    """Return the settings dataclass of a parameter, whether it is wanted as `Given`, and what is offered of it."""
    offer = Offer()
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        offer = next((extra for extra in extras if isinstance(extra, Offer)), offer)
    as_given = get_origin(hint) is Given
    kind = get_args(hint)[0] if as_given else hint
    return (kind, as_given, offer) if is_dataclass(kind) and isinstance(kind, type) else None


def _parameter(one: Option, offer: Offer) -> inspect.Parameter:
    unset = one.name in offer.unset
    text = one.help if unset or not offer.begins else f"{offer.begins}{one.help[0].lower()}{one.help[1:]}"
    annotation = one.annotation | None if unset else one.annotation
    # Under its former name an option is still understood.
    former = tuple(f"--{old.replace('_', '-')}" for old, new in RENAMED.items() if new == one.name)
    is_number = annotation in (float, float | None)
    how: dict[str, Any] = {"parser": decimal, "metavar": "FLOAT"} if is_number else {}
    return inspect.Parameter(
        one.parameter,
        inspect.Parameter.KEYWORD_ONLY,
        default=None if unset else one.default,
        annotation=Annotated[annotation, typer.Option(*one.flags, *former, help=text, **how)],
    )


def _is_typed(context: typer.Context, parameter: str) -> bool:
    return getattr(context.get_parameter_source(parameter), "name", None) == "COMMANDLINE"
