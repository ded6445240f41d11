"""The commands in one place, and what every error, Ctrl-C and signal turns into."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, NoReturn

import typer

from napari_tcgn import __version__
from napari_tcgn.cli.compare import compare
from napari_tcgn.cli.console import (
    fault_of_system,
    open_closed_streams,
    print_what_cannot_be_shown_as_escapes,
    reader_has_gone,
    with_matches,
)
from napari_tcgn.cli.cross_validate import cross_validate
from napari_tcgn.cli.data import data_app
from napari_tcgn.cli.demo import demo
from napari_tcgn.cli.doctor import doctor
from napari_tcgn.cli.explain import explain
from napari_tcgn.cli.explain_gene import explain_gene
from napari_tcgn.cli.explain_section import explain_section
from napari_tcgn.cli.export import export
from napari_tcgn.cli.fit import fit
from napari_tcgn.cli.models_hub import models_app
from napari_tcgn.cli.predict import predict
from napari_tcgn.cli.pseudobulk import pseudobulk
from napari_tcgn.cli.stop import Stopped
from napari_tcgn.cli.train import train
from napari_tcgn.errors import TcgnError

# Exit codes: 1 the command failed, 2 the command line is wrong (typer's own), 130 Ctrl-C, 143 told to end.
FAILED, INTERRUPTED, TERMINATED = 1, 130, 143

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # Plain text: the same on every terminal and in a log, and quick.
    rich_markup_mode=None,
    # Errors are printed by `main`, as a sentence.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.command()(demo)
app.command()(predict)
app.command()(compare)
app.command()(pseudobulk)
app.command()(explain)
app.command("explain-gene")(explain_gene)
app.command("explain-section")(explain_section)
app.command()(export)
app.command()(train)
app.command("cross-validate")(cross_validate)
app.command("fit")(fit)
app.add_typer(models_app, name="models")
app.add_typer(data_app, name="data")
app.command()(doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print the traceback of an error. Works behind any command too.")
    ] = False,
) -> None:
    """Predict spatial gene expression from H&E slides with TCGN.

    \b
    Example:
      napari-tcgn demo --out demo_output
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 only if what was asked for has been done.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.
    """
    given = with_matches(sys.argv[1:]) if arguments is None else list(arguments)
    debug = "--debug" in given
    open_closed_streams()
    print_what_cannot_be_shown_as_escapes()
    for name in ("SIGTERM", "SIGBREAK"):  # the second one: Ctrl-Break, and a closed console, of Windows
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _terminate)
    try:
        app(args=[a for a in given if a != "--debug"], prog_name="napari-tcgn")
    except Stopped as stopped:
        _fail(str(stopped), INTERRUPTED)
    except KeyboardInterrupt:
        _fail("Stopped.", INTERRUPTED)
    except TcgnError as error:
        if debug:
            raise
        _fail(f"Error: {error}", FAILED)
    except Exception as error:
        if isinstance(error, OSError) and reader_has_gone(error):
            # The reader (`| head`): nothing to say, and nobody to say it to.
            sys.stderr.close()
            sys.exit(FAILED)
        if debug:
            raise
        if isinstance(error, OSError) and error.errno:
            _fail(f"Error: {fault_of_system(error)}", FAILED)
        reason = str(error).strip().splitlines()
        _fail(
            f"Unexpected {type(error).__name__}{': ' + reason[0] if reason else ''}.\n"
            "This is a bug: please report it with what the same command prints with --debug.",
            FAILED,
        )
    sys.exit(0)


def _fail(sentence: str, code: int) -> NoReturn:
    with suppress(OSError):  # nobody can be told: the exit code says so
        print(sentence, file=sys.stderr, flush=True)
    sys.exit(code)


def _terminate(*_: Any) -> NoReturn:
    # As an exception, so that temporary files are removed on the way out.
    sys.exit(TERMINATED)
