"""Diarizations as text: one module for each format."""

from samevoice.diarization.formats.registry import FORMATS, by_suffix, read, read_all, read_bytes, read_file, write

__all__ = ["FORMATS", "by_suffix", "read", "read_all", "read_bytes", "read_file", "write"]
