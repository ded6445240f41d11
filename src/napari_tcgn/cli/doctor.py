"""`napari-tcgn doctor`: what works on this machine, and how to fix what does not."""

from __future__ import annotations

from dataclasses import asdict

import typer

from napari_tcgn.cli import options
from napari_tcgn.cli.console import say_json


def doctor(json: options.Json = False) -> None:
    """Check this installation: one PASS, WARN or FAIL line each, with what to do about it.

    Ends with an error only if something FAILs: a WARN leaves the main job working.

    \b
    Example:
      napari-tcgn doctor
    """
    from napari_tcgn.cli.checks import CHECKS, examine

    findings = []
    for check in CHECKS:
        finding = examine(check)
        findings.append(finding)
        if not json:
            typer.echo(f"{finding.verdict}  {finding.subject}: {finding.found}")
            if finding.hint:
                typer.echo(f"      {finding.hint}")
    if json:
        say_json([asdict(finding) for finding in findings])
    if any(finding.verdict == "FAIL" for finding in findings):
        raise typer.Exit(1)
