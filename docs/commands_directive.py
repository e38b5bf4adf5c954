"""``.. commands::`` lists the commands of ``skensir`` with their options, from their parsers."""

import argparse
import os

from docutils import nodes
from docutils.parsers.rst import Directive

from skensir.cli.main import _COMMANDS, _make_parser


def parsers():
    """Return the parser of each command by its name."""
    os.environ["COLUMNS"] = "80"  # the width of a usage
    names = [name.replace("_", "-") for name in _COMMANDS]
    [subparsers] = [
        action
        for action in _make_parser(None)._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    return {name: subparsers.choices[name] for name in names}


def written(action):
    """Return how an argument is written: ``-o FILE``, ``--output FILE``."""
    value = action.metavar or action.dest.upper()
    if not action.option_strings:
        return [value]
    more = "" if action.nargs == 0 else f" {value}" + (" ..." if action.nargs == "+" else "")
    return [option + more for option in action.option_strings]


def list_of_arguments(parser):
    """Return a list of what each argument is."""
    items = nodes.definition_list(classes=["arguments"])
    formatter = parser._get_formatter()
    for action in parser._actions:
        if action.help and action.dest != "help":
            names = written(action)
            term = nodes.term()
            for place, name in enumerate(names):
                term += [nodes.Text(", ")] if place else []
                term += nodes.literal(name, name)
            text = formatter._expand_help(action)
            meaning = nodes.definition("", nodes.paragraph(text, f"{text[0].upper()}{text[1:]}."))
            items += nodes.definition_list_item("", term, meaning)
    return items


class Commands(Directive):
    """Makes one section per command."""

    def run(self):
        """Return the sections."""
        sections = []
        for name, parser in parsers().items():
            section = nodes.section(ids=[f"skensir-{name}"], names=[f"skensir {name}"])
            section += nodes.title("", f"skensir {name}")
            for paragraph in parser.description.split("\n\n"):
                section += nodes.paragraph(paragraph, paragraph)
            usage = parser.format_usage().removeprefix("usage: ")
            section += nodes.literal_block(usage, usage, language="text")
            section += list_of_arguments(parser)
            if parser.epilog:
                section += nodes.literal_block(parser.epilog, parser.epilog, language="text")
            self.state.document.note_implicit_target(section, section)
            sections.append(section)
        return sections


def setup(app):
    """Give Sphinx the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
