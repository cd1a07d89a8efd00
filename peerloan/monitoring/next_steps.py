"""What each verdict of the monitor asks for."""

from __future__ import annotations

from model_monitor.report import MonitorReport


def next_step(report: MonitorReport) -> str:
    """Return what to do next, in one or two sentences, with the command."""
    alias = report.alias
    return {
        "ok": "Nothing is to be done.",
        "not enough data": (
            f"Nothing is to be done yet. A loan counts {report.window_days} days after it was scored, once its outcome "
            "is imported: peerloan outcomes import FILE --as-of DATE."
        ),
        "look": (
            "Find out what changed: the data's source, the product, or who applies. Outcomes will tell whether it does "
            "harm: peerloan outcomes import FILE --as-of DATE."
        ),
        "recalibrate": (
            "Correct the probabilities by the mature outcomes; the model's ranking stays as it is: peerloan retrain "
            f"{alias} --recalibrate."
        ),
        "refit": f"Train the model anew, on newer loans: peerloan retrain {alias} --data FILE.",
    }[report.verdict.kind]
