"""Recognise and hide secrets by their form: in an address, after a telling name, by their shape.

This module knows no secret itself; `experiments.redaction.hide` also hides the secrets that the
process knows. If a text can be read in two ways, the longer part of it is hidden.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from urllib.parse import unquote

HIDDEN = "***"

_STRONG = r"passw(?:or)?d|passphrase|secret|credential"  # a secret of any type
# Not a secret: max_tokens=128, exclude_keys=[seed], OmegaConf's own `full_key: lr`, and the
# viewStateShareKey in MLflow's addresses.
_WEAK = (
    r"token|(?<=[\w.-])(?<!full_)(?<!viewStateShare)key(?!s)|(?:secret|api|access|private)_?key"
    r"|(?<![a-z])(?:pass|pwd|pw)"
)
_STRONG_NAME = re.compile(_STRONG, re.IGNORECASE)
_NAME = re.compile(
    r"(?i:passw|passphrase|secret|credential|token(?!i[sz])|key(?!board|map|code|word|point|frame))"
    r"|(?:PASS|PWD|PW)S?(?![A-Z])|(?:[Pp]ass|[Pp]wd|[Pp]w)s?(?![a-z])"
)
# Numbers, also lists of them.
_NO_SECRET = re.compile(r"(?i)none|null|true|false|(?=.*\d)[-+\d.,e\s\[\](){}]+")
# A place for a secret, such as ${oc.env:NAME}, $NAME, {name}, <name>, %s and `***`.
_PLACEHOLDER = re.compile(r"\$?\{(?:[^{}]|\{[^{}]*\})*\}|\$\w+|<\w+>|%s|\*\*\*")

_LEFT_OPEN = re.compile(
    rf"[bfru]{{0,2}}[\"']?(?:{_PLACEHOLDER.pattern})[\"',;:.)}}\]]*", re.IGNORECASE
)

_SLASHES = r":(?:\\?/){2}"  # Hydra quotes a colon as \:, some JSON quotes a slash as \/
_NEXT = rf"(?<![^\s'\"(<\[{{,;=|\\])[A-Za-z][\w+.-]*\\?{_SLASHES}"
_ADDRESS = re.compile(rf"({_SLASHES})((?:(?!{_NEXT})[^\n])+)")
_ENCODED_ADDRESS = re.compile(r"(?i)(%3A%2F%2F(?:[^\s%&:@]*%3A)?)[^\s&]*(?=%40)")
_ALREADY = re.compile(r"[^\s:/@]*(?:\\?:)?\*\*\*@")
_HIDDEN_BEFORE = re.compile(r"\*\*\*(?!\w)")
_COLON = re.compile(r"\\?:")
_QUERY = re.compile(
    rf"(?i)([?&](?!viewStateShareKey=)[\w.-]*(?:{_STRONG}|token|key|pass|pwd|pw)s?=)[^\s&#]*"
)
_TEXT = r"""[bfru]{0,2}(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|''|[^'\\\n])*')"""
_QUOTED = rf"{_TEXT}(?:,{_TEXT})*"
# The name, perhaps quoted or in brackets; a colon or an equals sign, perhaps a type between them.
_BEFORE = (
    rf"(?:(?:{_STRONG})|(?P<weak>{_WEAK}))s?\\?[\"']?\]?\s*"
    r"(?::[^\S\n]*[\w.\[\],|]+\s*=|[:=])(?!=)[^\S\n]*"
    # Words of our own messages about a key.
    r"(?!unknown key;|is missing;|has no value;|nothing below |cannot be resolved|it should |"
    r"no run has |is no parameter;|--best is an order|"
    r"a launcher may |holds a secret)"
)
_ONE = r"(?:none|null|true|false|[-+]?[\d.]+)(?=\s*(?:[,}\])]|$))"  # of several values in a line
_ASSIGNED = re.compile(rf"(?im)({_BEFORE})(?P<value>{_QUOTED}|{_ONE}|(?<=:\s)[^\n]+|\S+)")
_LITERAL = re.compile(rf"(?i)({_BEFORE})(?P<value>{_QUOTED})")
_SHAPES = re.compile(
    r"""(?x)
    -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----[\s\S]*?(?:-----END[^\n]*|\Z)
    | (?<=\bBearer\s)[^\s"']+
    | (?i:(?<=authorization:\s)|(?<=authorization':\s')|(?<=authorization":\s"))[^\n"']+
    | \b(?:gh[opsur]_|github_pat_|glpat-|hf_|xox[abprs]-|AKIA|eyJ)[\w.-]{16,}
    """
)


@functools.lru_cache(maxsize=4096)
def names_a_secret(name: str) -> bool:
    """Return whether the name of a variable or key says that its value is a secret.

    Such a name holds PASSWORD, PASSWD, PASSPHRASE, SECRET, CREDENTIAL or TOKEN (but not TOKENIZER),
    KEY (but not KEYBOARD and the like), or a word that ends in PASS, PWD or PW.
    """
    return _NAME.search(name) is not None


def is_secret(path: tuple[object, ...], leaf: object) -> bool:
    """Return whether the keys that lead to a value of a configuration make it a secret.

    A number is a secret under `password` and the like, but not under `max_tokens` or `key_size`.
    """
    names = [step for step in path if isinstance(step, str) and names_a_secret(step)]
    if not names or isinstance(leaf, bool) or leaf is None or leaf == "":
        return False
    if _NO_SECRET.fullmatch(str(leaf)) is None:
        return True
    return not str(leaf).isalpha() and any(map(_STRONG_NAME.search, names))


def without_passwords(text: str) -> str:
    """Return a text with the secrets of every address in it hidden.

    The secrets are the password in user:password@host, a word alone before @host, and in a query
    the values of keys that name a secret. A password may hold any character, so it ends at the
    last @ before the next address or the end of the line.
    """
    if "://" in text or r":\/" in text:
        text = _QUERY.sub(rf"\1{HIDDEN}", _ADDRESS.sub(_without_password, text))
    return _ENCODED_ADDRESS.sub(rf"\1{HIDDEN}", text)


def without_secrets(text: str) -> str:
    """Return a text with everything hidden that has the form of a secret.

    Hidden are the secrets of addresses, the value assigned to a name that names a secret (after a
    colon, to the end of the line), the value of an Authorization header, private keys, and tokens
    of known shapes.
    """
    return _SHAPES.sub(HIDDEN, _ASSIGNED.sub(_unassigned, without_passwords(text)))


def without_secrets_in_code(text: str) -> str:
    """Do `without_secrets` for a program; of assigned values, only string literals are hidden."""
    return _SHAPES.sub(HIDDEN, _LITERAL.sub(_unassigned, without_passwords(text)))


def passwords_in(address: str) -> Iterator[str]:
    """Yield the secrets in a text that is one address, each as written and decoded."""
    _, found, rest = address.partition("://")
    if not found:
        return
    ends = [] if rest.startswith("/") else [at.start() for at in re.finditer("@", rest)]
    for end in ends:
        user, colon, password = rest[:end].partition(":")
        if not _PLACEHOLDER.fullmatch(password if colon else user):
            yield from {password, unquote(password)} if colon else {user, unquote(user)}
    for pair in re.split("[?&]", rest)[1:]:
        name, _, value = pair.partition("=")
        if names_a_secret(name) and not _PLACEHOLDER.fullmatch(value):
            yield from {value, unquote(value)}


def _without_password(match: re.Match[str]) -> str:
    lead, rest = match.groups()
    if rest.startswith("/") or _ALREADY.match(rest):  # a path, or hidden before
        return match[0]
    first = rest.split(maxsplit=1)[0] if rest.strip() else ""
    user, *colon = _COLON.split(first, maxsplit=1)
    has_password = bool(colon) and "/" not in user
    scope = rest if has_password else first  # a password may hold spaces; a user or a token may not
    head, at, tail = scope.rpartition("@")
    if not at:
        return match[0]
    tail += rest[len(scope) :]
    if not has_password or "@" in user:
        return match[0] if _PLACEHOLDER.fullmatch(head) else f"{lead}{HIDDEN}@{tail}"
    password = _COLON.split(head, maxsplit=1)[1]
    return match[0] if _PLACEHOLDER.fullmatch(password) else f"{lead}{user}:{HIDDEN}@{tail}"


def _unassigned(match: re.Match[str]) -> str:
    value = match["value"]
    core = value.strip("\"',;)}]") or value.strip("\"'")
    if not core or _LEFT_OPEN.fullmatch(value) or _HIDDEN_BEFORE.match(core):
        return match[0]
    if _NO_SECRET.fullmatch(core) and (match["weak"] or core.isalpha()):
        return match[0]
    quote = value[-1] if re.fullmatch(_QUOTED, value, re.IGNORECASE) else ""
    return f"{match[1]}{quote}{HIDDEN}{quote}"
