"""Writes the reference of the command line from the commands themselves."""

from __future__ import annotations

from typing import Any

from made_pages import write_api_page

ABOUT = """# Command line

Made from the commands themselves, so it is what `napari-tcgn COMMAND --help` prints. [Options](../options.md) says more
of each option of a run.
"""


def write_page(app: Any, _config: Any) -> None:
    """Write docs/api/command_line.md."""
    import typer

    from napari_tcgn.cli.app import app as commands

    command = typer.main.get_command(commands)
    text = "\n".join([ABOUT, *_section(command, "napari-tcgn", None)])
    write_api_page(app, "command_line.md", text)


def _section(command: Any, name: str, parent: Any) -> list[str]:
    """Return a command with its options, and the commands below it."""
    context = command.make_context(name.split()[-1], [], parent=parent, resilient_parsing=True)
    context.info_name = name.split()[-1]
    lines = [f"## {name}", "", "```text", context.get_usage(), "```", "", *_help(command.help or ""), ""]
    rows = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    if rows:
        lines += ["| option | |", "| --- | --- |"]
        lines += [f"| `{_cell(flags)}` | {_cell(text)} |" for flags, text in rows] + [""]
    for child in getattr(command, "commands", {}):
        lines += _section(command.commands[child], f"{name} {child}", context)
    return lines


def _help(text: str) -> list[str]:
    """Return a help text; what stands behind a mark for "as it is" becomes a block of code."""
    lines: list[str] = []
    for part in text.split("\n\n"):
        if part.startswith("\b"):
            title, *code = part.removeprefix("\b").strip("\n").split("\n")
            lines += [title, "", "```text", *(line.strip() for line in code), "```", ""]
        else:
            lines += [" ".join(part.split()), ""]
    return lines


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def setup(app: Any) -> dict[str, bool]:
    """Connect to the build."""
    app.connect("config-inited", write_page)  # before the pages are looked for
    return {"parallel_read_safe": True}
