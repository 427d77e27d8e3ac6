"""English words that carry grammar rather than meaning: to replace one breaks the sentence.

As in TinyBERT's published augmentation, question words (what, when, how, ...) are not among them.
"""

_PRONOUNS = """
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers herself
it its itself they them their theirs themselves this that these those
"""
_VERBS = """
am is are was were be been being have has had having do does did doing can could will would shall should may might must
"""
_ARTICLES_AND_CONJUNCTIONS = "a an the and but if or nor because as until while than so"
_PREPOSITIONS = """
of at by for with about against between into through during before after above below to from up down in out on off over
under
"""
_ADVERBS_AND_QUANTITIES = """
again further then once here there all any both each few more most other some such no not only own same too very just
now
"""
# Apostrophes divide words.
_PARTS_OF_CONTRACTIONS = """
I'm I'd you're you'll you've it's ma'am y'all ain't aren't can't couldn't didn't doesn't don't hadn't hasn't
haven't isn't mayn't mightn't mustn't needn't shan't shouldn't wasn't weren't won't wouldn't
""".replace("'", " ").lower()

STOP_WORDS = frozenset(
    " ".join(
        (
            _PRONOUNS,
            _VERBS,
            _ARTICLES_AND_CONJUNCTIONS,
            _PREPOSITIONS,
            _ADVERBS_AND_QUANTITIES,
            _PARTS_OF_CONTRACTIONS,
        )
    ).split()
)
