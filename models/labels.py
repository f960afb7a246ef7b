"""The label vocabulary that every part of Moodline shares, in its one fixed order.

Order is part of the contract: probability vectors everywhere in the project are aligned with these tuples.
"""

from typing import Final

MOODS: Final = ("delighted", "content", "unsure", "annoyed", "furious")
"""Five ordered levels, best first."""

MOOD_LEVELS: Final = (5.0, 4.0, 3.0, 2.0, 1.0)
"""The height of each mood on the ladder, so that an expected level is a number from 5 (delighted) to 1 (furious)."""

SENTIMENTS: Final = ("negative", "neutral", "positive")

INTENTS: Final = (
    "cancel",
    "refund",
    "billing",
    "delivery",
    "technical",
    "account",
    "change_order",
    "question",
    "complaint",
    "escalate",
    "follow_up",
    "praise",
    "suggestion",
    "inform",
    "other",
)

DISSERVICES: Final = (
    "no_human",
    "long_wait",
    "runaround",
    "ignored",
    "canned_reply",
    "broken_promise",
    "rude_staff",
    "billing_error",
    "late_or_missing",
    "faulty_product",
    "outage_or_bug",
    "unwanted_contact",
    "policy_friction",
    "unresolved",
)

PLACEHOLDERS: Final = (
    "<EMAIL>",
    "<PHONE>",
    "<CARD>",
    "<IBAN>",
    "<SSN>",
    "<IP>",
    "<URL>",
    "<USER>",
    "<ORDER>",
    "<ACCOUNT>",
    "<NAME>",
)
"""What redaction leaves in place of personal data; the classifier meets the same tokens in training."""
