"""Speech: where in a recording somebody talks."""
