"""A user of the server, and the line of an ACL file that it is. Pure; a password is only ever here as its hash.

Redis 7 and Valkey have selectors: rules of which each says which commands may touch which keys, for reading or writing.
Redis 6.2 has one list of commands and one of keys, and a user may do each of the first to each of the second. Its line
is coarser therefore: who may append to a stream there may read it, too.
"""

from enum import StrEnum

from msgspec import Struct


class Access(StrEnum):
    """What commands may do with what their keys hold, as the server spells it."""

    ANY = "~"
    READ = "%R~"
    WRITE = "%W~"


class Rule(Struct, frozen=True):
    """Commands, and the keys that they may touch.

    Attributes:
        commands: In the server's words, small: `xadd`, `xgroup|create`.
        keys: Patterns.
    """

    commands: tuple[str, ...]
    keys: tuple[str, ...]
    access: Access = Access.ANY


class User(Struct, frozen=True):
    """Who a service is to the server; who has no password cannot log in.

    Attributes:
        keyless: What it may do beside its rules: commands without keys, and changes to the list of them, as `+time`.
        rules: Each holds on its own.
        passwords: The SHA-256 of each, in hexadecimal; all of them are taken, so that one can be replaced.
    """

    name: str
    keyless: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    passwords: tuple[str, ...] = ()

    def line(self) -> str:
        """Spell the user for Redis 7, Valkey 7.2, and newer."""
        return " ".join((*self._head(), *self.keyless, *map(_selector, self.rules)))

    def line_of_redis_6(self) -> str:
        """Spell the user for a server without selectors."""
        commands = dict.fromkeys(f"+{command}" for rule in self.rules for command in rule.commands)
        keys = dict.fromkeys(f"~{key}" for rule in self.rules for key in rule.keys)
        return " ".join((*self._head(), *self.keyless, *commands, *keys))

    def _head(self) -> tuple[str, ...]:
        # `reset` first, so that the line also replaces a user of a server that runs (ACL SETUSER)
        return ("user", self.name, "reset", "on", *(f"#{password}" for password in self.passwords))


def _selector(rule: Rule) -> str:
    commands = (f"+{command}" for command in rule.commands)
    return f"({' '.join((*commands, *(f'{rule.access}{key}' for key in rule.keys)))})"
