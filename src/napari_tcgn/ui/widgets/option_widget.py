"""Controls of a form, made by magicgui from an option's declaration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magicgui.widgets import create_widget
from magicgui.widgets.bases import ValueWidget
from superqt.utils import signals_blocked

from napari_tcgn.options import Option, option_of
from napari_tcgn.ui.widgets.controls import read_either_decimal_sign
from napari_tcgn.ui.words import in_the_dock


def option_widget(settings: type, name: str) -> ValueWidget[Any]:
    """Return the control of an option: a box of its choices, a spin box of its range, or a check box.

    Tooltip, unit, range and the name that a screen reader says are those of the declaration. Where the option may be
    None, the number below its range stands for that; `value_of` and `show_value` translate.

    Parameters
    ----------
    settings : type
        The settings dataclass that declares the option.
    name : str
    """
    one = option_of(settings, name)
    options: dict[str, Any] = {"tooltip": tip_of(one)}
    if one.choices:
        options["choices"] = one.choices
    elif one.form is not None:
        low, high = one.form
        options |= {"min": low - 1 if one.if_none else low, "max": high, "step": 1 if high - low > 1 else 0.1}
    widget = create_widget(
        value=None if one.kind in (int, float) else one.default,
        # magicgui's box of whole numbers cannot show a word instead of one; that of fractions, without decimals, can.
        annotation=float if one.if_none else one.kind,
        name=name,
        label=label_of(one),
        options=options,
    )
    assert isinstance(widget, ValueWidget)
    box = widget.native
    box.setAccessibleName(label_of(one))
    if one.kind is float or one.if_none:
        read_either_decimal_sign(box)
        box.setDecimals(one.decimals)
    if one.if_none:
        box.setSpecialValueText(one.if_none)
    show_value(widget, one, one.default)
    return widget


def label_of(one: Option) -> str:
    """Return what an option is called in a form, with its unit."""
    return (one.label or one.name.replace("_", " ")) + (f", {one.unit}" if one.unit else "")


def tip_of(one: Option) -> str:
    """Return the tooltip of an option: what it is, and what else is to be known of it."""
    return in_the_dock(" ".join(text for text in (one.help, one.more) if text)).rstrip(".")


def value_of(widget: ValueWidget[Any], one: Option) -> Any:
    """Return what a control is set to; None where it shows that the program chooses."""
    value = one.kind(widget.native.value() if one.kind in (int, float) else widget.get_value())
    return None if one.if_none and one.form is not None and value < one.form[0] else value


def show_value(widget: ValueWidget[Any], one: Option, value: Any) -> None:
    """Set a control without telling of it."""
    box = widget.native
    with signals_blocked(box):
        if one.choices:
            box.setCurrentText(value)
        elif one.kind is bool:
            box.setChecked(value)
        elif one.kind is str:
            box.setText(value or "")
        elif value is not None:
            box.setValue(value)
        elif one.if_none:
            box.setValue(box.minimum())


def call_on_change(widget: ValueWidget[Any], one: Option, changed: Callable[..., object]) -> None:
    """Call a function after every change of a control by hand; of a number or text, when it is typed to its end."""
    box = widget.native
    if one.choices:
        box.activated.connect(changed)
    elif one.kind is bool:
        box.toggled.connect(changed)
    elif one.kind is str:
        box.editingFinished.connect(changed)
    else:
        box.setKeyboardTracking(False)
        box.valueChanged.connect(changed)
