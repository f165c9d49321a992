"""Grammars written as they read, and read from a file; the nodes that they become are those of `synthetic`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tinygpt_tui.corpora.synthetic import Choice, Grammar, Let, Node, Reference, Sequence, Table, Text
from tinygpt_tui.reading import decode_toml


class TableText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table as it is written: the names of its columns, and one record a line with its cells parted by `;`."""

    columns: str
    rows: str


class GrammarText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A grammar as it is written: a tale follows one of the `plots`, with its own records of the `tables`."""

    plots: list[str]
    rules: dict[str, str]
    tables: dict[str, TableText] = {}


def read_grammar(path: Path, *others: Path) -> Grammar:
    """Return the grammar of a TOML file, which may use rules and tables of others. Raises OSError, Damage."""
    written = decode_toml(path.read_bytes(), GrammarText)
    rules, texts = dict(written.rules), dict(written.tables)
    for other in others:
        more = decode_toml(other.read_bytes(), GrammarText)
        rules, texts = more.rules | rules, more.tables | texts
    notation = Notation(rules)
    tables = {slot: notation.table(table.columns, table.rows) for slot, table in texts.items()}
    return Grammar(Choice(tuple(_plot(notation.node(text), tables) for text in written.plots)))


def _plot(node: Node, tables: dict[str, Table]) -> Node:
    """Return a plot with a `Let` around it for each slot that it refers to."""
    for slot in reversed(tables):
        if slot in slots_of(node):
            node = Let(slot, tables[slot], node)
    return node


class Notation:
    """Grammars written as they read.

    `[a|b|]` is a choice of equally likely options, `{hero.his}` a reference (`{hero}` is `{hero.word}`),
    `<colour>` the rule of that name. A line break is a space, or nothing beside a bracket or bar; a blank line
    starts a new paragraph.
    """

    def __init__(self, rules: Mapping[str, str]) -> None:
        self._rules = rules
        self._nodes: dict[str, Node] = {}

    def node(self, template: str) -> Node:
        """Return the node that `template` describes."""
        template = re.sub(r"([\[|])[ ]*\n\s*", r"\1", template.strip())
        template = re.sub(r"\s*\n\s*([|\]])", r"\1", template)
        template = re.sub(r"[ ]*\n[ ]*\n\s*", "\0", template)
        template = re.sub(r"\s*\n\s*", " ", template).replace("\0", "\n")
        tokens = [token for token in re.split(r"([\[\]|]|\{[\w.]+\}|<\w+>)", template) if token]
        node, rest = self._sequence(tokens, 0)
        assert rest == len(tokens), f"a bracket too many: {template}"
        return node

    def table(self, columns: str, rows: str) -> Table:
        """Return a table: one record a line, its cells parted by `;`, each a template.

        A column `he` also makes a feature `He`.
        """
        names = columns.split()
        table = []
        for row in rows.strip().splitlines():
            record = {}
            for name, cell in zip(names, row.split(";"), strict=True):
                record[name] = self.node(cell.strip())
                record[name.capitalize()] = self.node(cell.strip()[0].upper() + cell.strip()[1:])
            table.append(record)
        return tuple(table)

    def _sequence(self, tokens: list[str], at: int) -> tuple[Node, int]:
        parts: list[Node] = []
        while at < len(tokens) and tokens[at] not in ("|", "]"):
            token = tokens[at]
            if token == "[":
                choice, at = self._choice(tokens, at + 1)
                parts.append(choice)
                continue
            if token.startswith("{"):
                slot, _, feature = token[1:-1].partition(".")
                parts.append(Reference(slot, feature or "word"))
            elif token.startswith("<"):
                parts.append(self._rule(token[1:-1]))
            else:
                parts.append(Text(token))
            at += 1
        return (parts[0] if len(parts) == 1 else Sequence(tuple(parts))), at

    def _choice(self, tokens: list[str], at: int) -> tuple[Node, int]:
        options: list[Node] = []
        while True:
            option, at = self._sequence(tokens, at)
            options.append(option)
            at += 1
            if tokens[at - 1] == "]":
                return Choice(tuple(options)), at

    def _rule(self, name: str) -> Node:
        if name not in self._nodes:
            self._nodes[name] = self.node(self._rules[name])
        return self._nodes[name]


def slots_of(node: Node) -> set[str]:
    """Return the slots that a node refers to, except those that only a record's own features refer to."""
    match node:
        case Reference(slot=slot):
            return {slot}
        case Sequence(parts=nodes) | Choice(options=nodes):
            return set().union(*(slots_of(inner) for inner in nodes))
        case Let(slot=slot, body=body):
            return slots_of(body) - {slot}
    return set()
