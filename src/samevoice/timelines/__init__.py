"""Timelines: slices of a recording on a grid in true time, each with speech, level and embedding."""
