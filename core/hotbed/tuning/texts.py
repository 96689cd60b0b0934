"""The texts that are measured where the user gives none: English, of mixed lengths.

Speed depends on how long texts are, not on what they say. So a few dozen sentences are strung
together to the lengths of the standard mix of docs/performance.md: half of the texts are short,
a tenth are cut at what most small models read.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence

__all__ = ["QUERY", "SENTENCES", "mixed_texts", "spread_over"]

QUERY = "How do I bake bread at home without an oven?"
"""The one short text whose latency is measured."""

_SHARES = (0.0, 0.5, 0.9, 0.94, 1.0)
_WORDS = (4.0, 43.0, 192.0, 226.0, 260.0)
"""Shares of the texts, and the words up to which they have; between them, evenly in logarithm."""

SENTENCES: tuple[str, ...] = tuple(
    """
Knead flour, water, salt and yeast, and let the dough rise in a warm corner of the kitchen.
Jupiter has more than twice the mass of all the other planets of the solar system together.
If the computer stays dark, hold the power button for ten seconds and try another charger.
The train to the coast leaves at ten past seven and stops at every village on the way.
Water tomatoes early in the morning, at the root, and never on the leaves.
A mortgage with a fixed rate protects you when interest goes up, and costs more when it falls.
She tuned her violin before the concert began, although nobody in the hall was listening yet.
The committee postponed the vote until the auditors had published their report.
Glaciers carve valleys so slowly that a lifetime is too short to see them move.
Please return the signed form within fourteen days, or your application will be closed.
The new bridge carries two lanes of traffic, a tram line and a path for bicycles.
Most of the iron in your blood was made in stars that exploded long before the sun was born.
He missed the last bus, so he walked home along the canal in the rain.
The museum is open every day except Monday, and entry is free on the first Sunday of the month.
Vaccines train the immune system to recognise a virus without causing the disease.
Our warehouse ships orders on the same day if they are placed before noon.
The river floods every spring, and the farmers wait for it, because it brings the soil they need.
Regular backups are worth nothing until somebody has tried to restore one.
The court held that the contract was void, since neither party had understood its terms.
Swallows return to the same barn year after year from the other side of the equator.
Add the onions first, then the garlic, and the spices only when the oil has cooled a little.
The sensor reports temperature, humidity and pressure every thirty seconds over a serial line.
Unemployment fell for the third quarter in a row, while wages hardly moved.
A good index makes the difference between a query of seconds and one of milliseconds.
The goalkeeper saved two penalties and was carried off the field by her team.
Children learn the grammar of their language before anybody explains it to them.
The battery lasts about nine hours, less in the cold, and charges from empty in ninety minutes.
In the fourteenth century the town was rich enough to build a cathedral and never finished it.
Check the tyres, the oil and the lights before you set out on a long journey.
The patient was discharged after three days with tablets for the pain and an appointment in May.
Light takes eight minutes from the sun to the earth, and four years from the nearest other star.
The orchestra played the last movement twice, because the applause would not end.
Turn left at the bakery, pass the school, and you will see the office on your right.
Coral reefs cover a small part of the ocean floor and shelter a quarter of its fish.
The update fixes a fault that closed the programme when a file name held an accent.
They argued about the map until it was too dark to read it.
Store the medicine below twenty-five degrees, out of the reach of children.
The price of copper rose after the largest mine of the country was shut by a strike.
A sonnet has fourteen lines, and the turn usually comes after the eighth.
The old lighthouse was sold to a painter who now lives there with two dogs.
Solar panels on the roof of the library produce more than the building uses in summer.
The recipe serves four, or two if they have been working in the garden.
""".strip().splitlines()
)


def mixed_texts(count: int, sentences: Sequence[str] = SENTENCES) -> list[str]:
    """So many texts of mixed lengths, always the same, in an order that mixes the lengths as well.

    >>> mixed_texts(2)
    ['Knead flour, water, salt', 'Jupiter has more than ...

    Args:
        count: How many.
        sentences: What they are strung together from.
    """
    step = _coprime(count)
    lengths = [_words((place * step % count + 0.5) / count) for place in range(count)]
    return [_strung(number, words, sentences) for number, words in enumerate(lengths)]


def spread_over(texts: Sequence[str], count: int) -> list[str]:
    """So many of the texts, taken evenly from all of them; all of them if there are no more."""
    if count >= len(texts):
        return list(texts)
    return [texts[place * len(texts) // count] for place in range(count)]


def _words(share: float) -> int:
    place = bisect.bisect_left(_SHARES, share)
    left, right = _SHARES[place - 1], _SHARES[place]
    low, high = math.log(_WORDS[place - 1]), math.log(_WORDS[place])
    return round(math.exp(low + (high - low) * (share - left) / (right - left)))


def _strung(number: int, words: int, pool: Sequence[str]) -> str:
    """Sentences one after the other, from a start and by a step that depend on the number."""
    size = len(pool)
    start, step = number % size, 1 + number // size
    sentences = (pool[(start + place * step) % size] for place in itertools.count())
    taken = itertools.chain.from_iterable(sentence.split() for sentence in sentences)
    return " ".join(itertools.islice(taken, words))


def _coprime(count: int) -> int:
    """A step through ``count`` places that visits each once, near the golden section."""
    step = max(1, round(count * 0.618))
    while math.gcd(step, count) != 1:
        step += 1
    return step
