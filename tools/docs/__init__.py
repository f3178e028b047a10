"""The documentation site: what of it is generated, how it is checked, and its pictures.

hook         what mkdocs calls while it builds
links        files of the project and the pages that they are
surface      the Python reference: pages for the public names and modules, for mkdocstrings to fill
commandline  the reference of the commands
glossary     where each term of the glossary appears
check        every link of a built site
pictures     what the commands print and draw, for the start page
"""
