"""How long the main thread stays away from its event loop, told by a timer that should fire every few milliseconds."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, QTimer

EVERY_MS = 5
LONG_MS = 50


class Heartbeat:
    """Beats as long as it is open (a context manager).

    `late_ms` holds how late every beat was, which counts other programs on a busy machine too; `worked_ms` what the
    main thread itself worked between two beats (its processor time), which no other program changes.
    """

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self.worked_ms: list[float] = []
        self._last = (0.0, 0.0)
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)

    def __enter__(self) -> Heartbeat:
        self._last = time.perf_counter(), time.thread_time()
        self._timer.start(EVERY_MS)
        return self

    def __exit__(self, *error: object) -> None:
        self._beat()
        self._timer.stop()

    def _beat(self) -> None:
        now, worked = time.perf_counter(), time.thread_time()
        self.late_ms.append(max(0.0, (now - self._last[0]) * 1000 - EVERY_MS))
        self.worked_ms.append((worked - self._last[1]) * 1000)
        self._last = now, worked

    def report(self) -> dict[str, Any]:
        """Return the figures of a table."""
        late, worked = np.array(self.late_ms), np.array(self.worked_ms)
        return {
            "beats": len(late),
            "worked at once, 99th percentile ms": round(float(np.percentile(worked, 99)), 1),
            "worked at once, longest ms": round(float(worked.max()), 1),
            f"worked over {LONG_MS} ms, times": int((worked > LONG_MS).sum()),
            "late, median ms": round(float(np.median(late)), 1),
            "late, longest ms": round(float(late.max()), 1),
        }
