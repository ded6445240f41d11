"""Import timm (and torchvision) also where torchvision's compiled operators do not load.

A CPU build of torch beside a torchvision built for another one cannot load torchvision's operator
library. `import torchvision` then fails while it registers shape rules for operators that nobody has
declared ("operator torchvision::nms does not exist"), and with it `import timm`. Nothing here calls
these operators (they belong to object detection), so declaring them is enough.

torchvision imports torch's compiler, and that triton, which comes with the CUDA build of torch. Where Mesa draws with
LLVM (llvmpipe, a window without a GPU's own driver), two LLVMs meet and the process dies (segmentation fault). Nothing
here is compiled, so there triton is left out.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING

from napari_tcgn.errors import MissingDependencyError

if TYPE_CHECKING:
    from torch.library import Library

# Operators that torchvision's Python code expects to be declared at import, with their signatures.
OPERATORS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_MISSING = re.compile(r"operator torchvision::(\w+) does not exist")
_declared: dict[str, Library] = {}  # a declaration lasts as long as its Library object
_lock = RLock()


def declared_operators() -> tuple[str, ...]:
    """Names of the torchvision operators that had to be declared in this process; empty: none was missing."""
    return tuple(_declared)


def import_torchvision() -> ModuleType:
    """Import torchvision, declaring the operators that its compiled part should have brought.

    Returns
    -------
    module

    Raises
    ------
    MissingDependencyError
        If torchvision is not installed, or does not load beside the installed torch for another reason.
    """
    return _import_repaired("torchvision")


def import_timm() -> ModuleType:
    """Import timm; call this before anything else imports timm or torchvision.

    Returns
    -------
    module

    Raises
    ------
    MissingDependencyError
        If timm or torchvision is not installed or does not load beside the installed torch.
    """
    import_torchvision()
    return _import_repaired("timm")


def _llvm_is_loaded() -> bool:
    """Whether a shared LLVM, Mesa's, is in this process."""
    maps = Path("/proc/self/maps")
    return maps.is_file() and "/libLLVM" in maps.read_text(encoding="utf-8", errors="replace")


def _import_repaired(name: str) -> ModuleType:
    with _lock:
        if "triton" not in sys.modules and _llvm_is_loaded():
            sys.modules["triton"] = None  # type: ignore[assignment]  # an import of it fails as if it were not installed
        if name not in sys.modules:
            _forget(name)  # submodules left behind by an import that failed elsewhere
        for _ in range(len(OPERATORS) + 1):
            try:
                return importlib.import_module(name)
            except ModuleNotFoundError as error:
                raise MissingDependencyError(
                    f"{name} cannot be imported: {error}.", f"Install it: pip install {error.name or name}."
                ) from error
            except (ImportError, RuntimeError, AttributeError, OSError) as error:
                # What the failed import left behind would be taken for complete by the next one.
                _forget("torchvision")
                _forget(name)
                found = _MISSING.search(str(error))
                if found is None or found[1] not in OPERATORS or found[1] in _declared:
                    raise MissingDependencyError(
                        f"{name} does not load beside the installed torch: {error}.",
                        "Install a torch and a torchvision that belong together (see pytorch.org).",
                    ) from error
                _declare(found[1])
        raise AssertionError("every round returns, raises or declares one more operator")


def _declare(operator: str) -> None:
    from torch.library import Library

    library = Library("torchvision", "FRAGMENT")
    library.define(OPERATORS[operator])
    _declared[operator] = library


def _forget(package: str) -> None:
    for module in [m for m in sys.modules if m == package or m.startswith(f"{package}.")]:
        del sys.modules[module]
