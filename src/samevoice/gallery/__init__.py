"""Voiceprints of people: enrolled once, known anywhere, forgotten on request."""
