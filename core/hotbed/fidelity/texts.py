"""The texts of a check where the user gives none: short and long, many scripts, odd signs."""

from __future__ import annotations

__all__ = ["TEXTS"]

_CONTRACT = (
    "The contract may be ended by either side with notice of three months to the end of a quarter. "
    "Notice must be given in writing; a message by mail is enough where both sides have agreed to "
    "it beforehand. Sums that were paid for a time after the end are given back within thirty "
    "days, less what was used."
)
_SEARCH = (
    "A search engine that understands meaning puts texts into a space in which near things mean "
    "like things. It needs a model that was trained on pairs, an index that finds neighbours, and "
    "somebody who looks at what comes back: whether the first ten answers are the ones that a "
    "person would have chosen, in which order, and what is missing among them."
)
_WHALES = (
    "Whales breathe air. They surface, empty their lungs within a second, fill them in another, "
    "and may stay below for an hour and more, because their muscles store the oxygen."
)

TEXTS = (
    "bread",
    "What is the capital of Kenya?",
    "query: how do I reset a forgotten password",
    "passage: Open the settings, choose Security, and follow the link that is sent by mail.",
    "The train to Utrecht leaves from platform 7 at 14:32, unless the wind is above 90 km/h.",
    "Knead flour, water, salt and yeast for ten minutes; let the dough rest until it has doubled.",
    "In 1928 Alexander Fleming noticed that a mould had killed the bacteria around it.",
    "def add(a: int, b: int) -> int:\n    return a + b  # no overflow in Python",
    "SELECT name, count(*) FROM orders WHERE total > 99.50 GROUP BY name HAVING count(*) > 3;",
    "ERROR 2026-03-01T08:15:27Z connection refused: 10.0.0.12:5432 (attempt 4 of 5)",
    "Der Vertrag verlängert sich um zwölf Monate, wenn er nicht fristgerecht gekündigt wird.",
    "La bibliothèque ferme à dix-neuf heures, sauf le samedi où elle ouvre dès huit heures.",
    "El paciente refiere dolor torácico desde hace dos días, sin fiebre ni tos.",
    "Последний поезд метро отправляется в час ночи.",
    "今日は雨が降っているので、傘を持って行ってください。",
    "这篇论文提出了一种新的句子向量训练方法。",
    "القطار المتجه إلى القاهرة متأخر بنصف ساعة",
    "दिल्ली में आज तापमान चालीस डिग्री से ऊपर रहेगा।",
    "emoji 🙂🚀, maths ∑ x² ≤ 4π, money €5,00 £3 ¥800, and a word-with-hyphens",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    _CONTRACT,
    _SEARCH,
    _WHALES,
    "I returned the shoes because the left one was half a size smaller than the right one.",
)
