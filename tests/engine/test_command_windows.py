"""The copied command on Windows, taken apart again by the documented rules of its shells and of its programs."""

from __future__ import annotations

import os
import shlex

import pytest

from napari_tcgn.engine.command import as_line

SINGLE, DOUBLE = "'\u2018\u2019\u201a\u201b", '"\u201c\u201d\u201e'  # what PowerShell takes for quotes


def powershell(line: str) -> list[str]:
    """Return the values of a command's arguments (about_Quoting_Rules, about_Parsing of PowerShell)."""
    values, i = [], 0
    while i < len(line):
        if line[i] == " ":
            i += 1
            continue
        quotes = next((kind for kind in (SINGLE, DOUBLE) if line[i] in kind), "")
        value, i = "", i + bool(quotes)
        while i < len(line):
            if quotes and line[i] in quotes:
                if line[i + 1 : i + 2] and line[i + 1] in quotes:  # doubled: one of itself
                    value, i = value + line[i + 1], i + 2
                    continue
                i += 1
                break
            if not quotes and line[i] == " ":
                break
            assert quotes == SINGLE or line[i] not in "$`", "PowerShell would expand it"
            assert quotes or line[i] not in SINGLE + DOUBLE + "(){};,|&<>@#~*?[]", "PowerShell reads it in its own way"
            value, i = value + line[i], i + 1
        assert i == len(line) or line[i] == " ", "a word ends where its quotes end"
        values.append(value)
    return values


def handed_on(values: list[str]) -> str:
    """Return the line that Windows PowerShell 5.1 hands to a program: in quotes what has spaces, otherwise as it is."""
    return " ".join(f'"{value}"' if " " in value or "\t" in value else value for value in values)


def program(line: str) -> list[str]:
    """Return the arguments that a program sees ("Parsing C command-line arguments" of Microsoft), without its name."""
    found, word, quoted, i = [], "", False, 0
    begun = False
    while i < len(line):
        slashes = len(line[i:]) - len(line[i:].lstrip("\\"))
        if slashes:
            i += slashes
            if line[i : i + 1] == '"':
                word += "\\" * (slashes // 2)
                if slashes % 2:
                    word, i = word + '"', i + 1
            else:
                word += "\\" * slashes
            begun = True
        elif line[i] == '"':
            quoted, begun, i = not quoted, True, i + 1
        elif line[i] == " " and not quoted:
            if begun:
                found.append(word)
            word, begun, i = "", False, i + 1
        else:
            word, begun, i = word + line[i], True, i + 1
    assert not quoted, "a quote is left open"
    return [*found, word] if begun else found


PLAIN = [
    r"C:\slides\C2.svs",
    r"C:\my slides\C2 (copy).svs",
    r"\\server\share\C2.svs",
    "C:\\with space\\",
    "D:\\",
    "-3.25",
    "--mpp",
    "0.688",
    "tcp://10.0.0.5:8786",
    "GNAS,FASN",
    "100% of it.tif",
    "a&b.tif",
    "a;b.tif",
    "it's.tif",
    "von Käse µ 日本.tif",
    "~home.tif",
    "@here.tif",
    "#1.tif",
    "[1].tif",
    "{stem}.tsv",
    "^.tif",
    "!.tif",
    "\u2018curly\u2019.tif",
]
EXPANDED = ["$HOME.tif", "a`b.tif", "cost $5 'each' \u2018now\u2019.tif", "\u201ccurly\u201d.tif", "$(x) y.tif"]


@pytest.mark.parametrize("name", [*PLAIN, *EXPANDED])
def test_powershell_hands_on_what_was_meant(name: str) -> None:
    line = as_line(["napari-tcgn", "predict", name, "--out", "a b.h5ad"], windows=True)
    values = powershell(line)
    assert program(handed_on(values)) == ["napari-tcgn", "predict", name, "--out", "a b.h5ad"]
    # PowerShell 7 quotes properly what it hands on: only a doubled last backslash of a folder stays, which is the same.
    assert [os.path.normpath(value.replace("\\\\", "\\")) for value in values[2:3]] == [
        os.path.normpath(name.replace("\\\\", "\\"))
    ]


@pytest.mark.parametrize("name", PLAIN)
def test_cmd_reads_the_same_line(name: str) -> None:
    """Cmd hands the line on as it is; outside of double quotes it has a meaning of its own for some characters."""
    line = as_line(["napari-tcgn", "predict", name, "--out", "a b.h5ad"], windows=True)
    outside = "".join(line.split('"')[::2])
    assert not set(outside) & set("&|<>^()%!;,'@#{}[]~")
    assert program(line) == ["napari-tcgn", "predict", name, "--out", "a b.h5ad"]


@pytest.mark.parametrize("name", [*PLAIN, *EXPANDED])
def test_other_shells(name: str) -> None:
    assert shlex.split(as_line(["napari-tcgn", name], windows=False)) == ["napari-tcgn", name]


def test_a_plain_command_has_no_quotes() -> None:
    arguments = ["napari-tcgn", "predict", r"C:\slides\C2.svs", "--mpp", "0.25", "--grid", "visium", "--out", "C2.h5ad"]
    assert as_line(arguments, windows=True) == " ".join(arguments)
