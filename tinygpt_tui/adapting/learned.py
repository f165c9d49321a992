"""Which words and names of a text became more likely from the first time to the last one, in bits a letter."""

from __future__ import annotations

import itertools
import math

from tinygpt_tui.events.generation import LearnedWord

SHORTEST = 4  # letters
LEAST_GAIN = 0.5  # bits a letter
MOST = 1 << 14  # words that are remembered; then the half that was not seen for longest is forgotten


class LearnedWords:
    """Add a text piece by piece, with what each cost when it was predicted."""

    def __init__(self) -> None:
        self._word, self._bits = "", 0.0  # the word that has not ended yet
        self._name, self._name_bits = "", 0.0  # the capitalised word just before it, with its space
        self._seen: dict[str, tuple[float, float]] = {}  # bits a letter, the first time and the last

    def add(self, piece: str, nats: float) -> None:
        """Add the characters of a token; what it cost counts for each of them alike."""
        bits = nats / math.log(2) / max(1, len(piece))
        for character in piece:
            if character.isalpha() or (character in "'’-" and self._word):
                self._word, self._bits = self._word + character, self._bits + bits
            else:
                self._end(character, bits)

    def _end(self, character: str, bits: float) -> None:
        word, cost = self._word, self._bits
        self._word, self._bits = "", 0.0
        if word:
            self._note(word, cost)
            if word[0].isupper():
                if self._name:
                    self._note(self._name + word, self._name_bits + cost)
                if character == " ":
                    self._name, self._name_bits = word + " ", cost + bits
                    return
        self._name, self._name_bits = "", 0.0

    def _note(self, word: str, bits: float) -> None:
        if len(word) < SHORTEST:
            return
        now = bits / len(word)
        first, _ = self._seen.pop(word, (now, now))
        self._seen[word] = (first, now)
        if len(self._seen) > MOST:
            for old in list(itertools.islice(self._seen, MOST // 2)):
                del self._seen[old]

    def best(self, count: int = 3) -> tuple[LearnedWord, ...]:
        """Return what was learned most, the whole word or name counted: at most `count` of them."""
        found = [
            LearnedWord(word, first, now) for word, (first, now) in self._seen.items() if first - now >= LEAST_GAIN
        ]
        found.sort(key=lambda one: (one.first - one.now) * len(one.text), reverse=True)
        chosen: list[LearnedWord] = []
        for one in found:
            if len(chosen) == count:
                break
            if not any(one.text in other.text or other.text in one.text for other in chosen):
                chosen.append(one)
        return tuple(chosen)
