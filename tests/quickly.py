"""What makes the trainings of pages quick: few steps, few pieces at once, one thread."""

from __future__ import annotations


def train(recipe: str, *changes: str) -> tuple[str, tuple[str, ...]]:
    """The beginning of a `samevoice train`, and what is added to it."""
    sets = (part for change in changes for part in ("--set", change))
    return f"samevoice train {recipe} ", ("--threads", "1", *sets)


def stages(sampler: str, **steps_of: int) -> tuple[str, ...]:
    """Settings for so many steps of each stage."""
    return tuple(
        f"stage.{name.replace('_', '-')}.{setting}"
        for name, count in steps_of.items()
        for setting in (f"steps={count}", f"validate_every={count}", f"sampler_options.{sampler}")
    )


TRIPLETS = stages("triplets=4", triplet=2)
TWO = (*stages("batch=8", cross_entropy=4), *TRIPLETS)
