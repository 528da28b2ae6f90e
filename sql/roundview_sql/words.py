"""Reads the words of a command one by one."""

from __future__ import annotations

from roundview_sql.failures import WireError
from roundview_sql.lexer import NAME, NUMBER, SIGN, STRING, WORD, Text, Token


class Words:
    """Walks over the tokens of one statement; raises WireError 42601 where one is missing."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self._at = 0

    def is_left(self) -> bool:
        """Tells whether there are more."""
        return self._at < len(self.text.tokens)

    def peek(self) -> Token:
        """Returns the next token and leaves it there."""
        if not self.is_left():
            raise WireError("42601", "the statement ends too soon", position=self._behind())
        return self.text.tokens[self._at]

    def next(self) -> Token:
        """Returns the next token."""
        found = self.peek()
        self._at += 1
        return found

    def before(self) -> Token:
        """Returns the token that was read last."""
        return self.text.tokens[self._at - 1]

    def accept(self, *words: str) -> str:
        """Reads one of the words if it is next, and returns it; "" if it is not."""
        if self.is_left() and self.peek().kind == WORD and self.peek().text in words:
            return self.next().text
        return ""

    def accept_sign(self, sign: str) -> bool:
        """Reads a sign if it is next."""
        if self.is_left() and self.peek().kind == SIGN and self.peek().text == sign:
            self._at += 1
            return True
        return False

    def require(self, word: str) -> None:
        """Reads a word that has to be next."""
        if not self.accept(word):
            raise self._misread()

    def is_before(self, word: str) -> bool:
        """Tells whether a word is next."""
        return self.is_left() and self.peek().kind == WORD and self.peek().text == word

    def is_sign_behind(self) -> bool:
        """Tells whether a sign follows the next token: then that is a name, not a keyword."""
        behind = self.text.tokens[self._at + 1 : self._at + 2]
        is_to = bool(behind) and behind[0].kind == WORD and behind[0].text == "to"
        return bool(behind) and (behind[0].kind == SIGN or is_to)

    def name(self) -> str:
        """Reads a name."""
        found = self.next()
        if found.kind not in (WORD, NAME):
            raise self._misread(found)
        return found.text

    def dotted(self) -> str:
        """Reads a name of several parts: `roundview.purpose`."""
        parts = [self.name()]
        while self.accept_sign("."):
            parts.append(self.name())
        return ".".join(parts)

    def value(self) -> str:
        """Reads the value of a setting: a text, a number or a word."""
        sign = "-" if self.accept_sign("-") else ""
        found = self.next()
        if found.kind not in (STRING, NUMBER, WORD, NAME):
            raise self._misread(found)
        return sign + found.text

    def until_closed(self) -> str:
        """Reads up to the parenthesis that closes an open one, and returns the text inside."""
        start = self.peek().start if self.is_left() else 0
        depth = 1
        while depth:
            found = self.next()
            if found.kind == SIGN:
                depth += (found.text == "(") - (found.text == ")")
        offset = self.text.offset
        return self.text.text[start - offset : found.start - offset]

    def end(self) -> None:
        """Checks that nothing is left."""
        if self.is_left():
            raise self._misread()

    def _misread(self, token: Token | None = None) -> WireError:
        at = token.start + 1 if token is not None else self._behind()
        return WireError("42601", "the statement cannot be read", position=at)

    def _behind(self) -> int:
        if self.is_left():
            return self.text.tokens[self._at].start + 1
        return self.text.tokens[-1].end + 1
