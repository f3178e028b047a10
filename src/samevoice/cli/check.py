"""`samevoice check FILE...`: the audio doctor."""

from __future__ import annotations

from dataclasses import asdict

import typer

from samevoice.audio.quality import AudioReport
from samevoice.cli.console import (
    JsonOption,
    PathsArgument,
    audio_files,
    complain,
    error_entry,
    out,
    print_json,
    printable,
)
from samevoice.errors import SamevoiceError
from samevoice.loading import load_detector
from samevoice.speech.listening import listen


def check(files: PathsArgument, json: JsonOption = False) -> None:
    """What about these recordings could mislead a judgement of voices?

    Shows duration, rate, channels, level, clipping, noise, real bandwidth and seconds of speech, with advice.
    Exit code 0 when every file could be read, 2 otherwise.

    Example: samevoice check interview.mp3
    """
    detector = load_detector()
    reports: list[AudioReport] = []
    errors: list[dict[str, str]] = []
    for path in audio_files(files):
        try:
            report = listen(path, detector).report
        except SamevoiceError as error:
            errors.append(error_entry(path, error))
            complain(error)
            continue
        reports.append(report)
        if not json:
            out.print("\n".join(map(printable, lines(report))), markup=False)
    if json:
        print_json({"reports": [asdict(report) for report in reports], "errors": errors})
    raise typer.Exit(2 if errors else 0)


def lines(report: AudioReport) -> list[str]:
    """A report in words."""
    snr = "unknown" if report.snr_db is None else f"{report.snr_db:.0f} dB"
    bandwidth = "unknown" if report.bandwidth_hz is None else f"{report.bandwidth_hz / 1000:.1f} kHz"
    level = f"{report.level_dbfs:.0f} dBFS, peak {report.peak_dbfs:.1f} dBFS, {100 * report.clipped:.2f} % clipped"
    facts = {
        "format": f"{report.format}, {report.rate} Hz, {report.channels} channel{'s' if report.channels > 1 else ''}",
        "duration": f"{report.seconds:.2f} s, of which {report.speech:.2f} s speech",
        "level": level,
        "speech over noise": snr,
        "bandwidth": bandwidth,
    }
    advice = [f"  ! {warning}" for warning in report.warnings] or ["  nothing to complain about"]
    return [report.name, *(f"  {label:<18}{fact}" for label, fact in facts.items()), *advice]
