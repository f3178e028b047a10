"""How a release is made and checked: `make release`, `make release-check`.

    project       what pyproject.toml and the last commit say
    building      python -m releasing.building: wheel and sdist, twice, with the same bytes
    contents      what must lie in them, and nothing else
    bounds        python -m releasing.bounds: the oldest versions allowed, as constraints and as a page
    places        interpreters and fresh environments
    checking      python -m releasing.checking WHEEL: installed alone, and with the oldest versions
    licences      python -m releasing.licences: who owns what is shipped, and what it needs
    modelcards    python -m releasing.modelcards: the facts of docs/models.md
    inventory     python -m releasing.inventory WHEEL: the SBOM, and known vulnerabilities

Nothing of it is part of the wheel.
"""
