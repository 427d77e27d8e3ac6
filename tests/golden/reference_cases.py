"""The checkpoints and sentences that make_reference.py computes with; each case says what is peculiar about it."""

import dataclasses

from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    MobileBertConfig,
    MobileBertForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
)

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

SENTENCES = (
    "The train to Lisbon leaves at half past nine.",
    "Could you please turn down the music?",
    "She planted tomatoes, beans and two rows of carrots behind the house.",
    "My card was charged twice for the same order.",
    "It rained all day.",
    "The committee will publish its report in March, but few members expect it to change anyone's mind.",
    "What time does the museum open on Sundays?",
    "He couldn't remember where he had parked the car.",
    "Thanks!",
    "Prices rose by 3.5% last year, the largest increase since 1998.",
    "A small dog slept under the table while the children argued about whose turn it was to wash the dishes, and no "
    "one noticed that the soup had boiled over until the kitchen was full of steam.",
    "I would recommend this hotel to anyone who needs a quiet room near the station.",
)

VOCABULARY_SIZE = 120
WORDS = "the of and to in is it that was for on are with as at be this have from or had by not but what all were"
SHAPE = {"vocab_size": VOCABULARY_SIZE, "max_position_embeddings": 128}
BERT = {**SHAPE, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 96}
ALBERT = {**BERT, "embedding_size": 16}
MOBILEBERT = {
    **SHAPE,
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "embedding_size": 16,
    "intra_bottleneck_size": 24,
}
# Read into TinyBERT's published config.json and of no consequence.
TINYBERT_LEFTOVERS = {"cell": {}, "emb_size": 52, "pre_trained": "", "structure": [], "training": ""}


def labels(*names: str) -> dict[str, dict]:
    """The two configuration fields for label names; the orders used are not alphabetical."""
    return {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}


@dataclasses.dataclass(frozen=True)
class Case:
    """One checkpoint to write and to compute with."""

    name: str
    model_class: type[PreTrainedModel]
    config: PreTrainedConfig
    must_notice: tuple[dict, ...] = ()  # configuration fields whose change must move the expected values
    read_as: type[PreTrainedModel] | None = None  # when the expected values come from a part of what is saved
    # As small as trained embeddings are: the epsilon of the first LayerNorm then shows.
    embedding_scale: float = 0.02
    weight_gain: float = 1.8
    has_vocabulary: bool = True


CASES = (
    Case(
        "bert",
        BertForSequenceClassification,
        BertConfig(**BERT, **labels("neutral", "entailment", "contradiction")),
        ({"hidden_act": "gelu_new"}, {"layer_norm_eps": 1e-5}),
    ),
    Case("bert_masked_lm", BertForMaskedLM, BertConfig(**BERT), ({"hidden_act": "gelu_new"},)),
    Case("bert_legacy_names", BertForPreTraining, BertConfig(**{**BERT, "num_hidden_layers": 1}), read_as=BertModel),
    Case(
        "distilbert",
        DistilBertForSequenceClassification,
        DistilBertConfig(
            **SHAPE, dim=48, n_layers=3, n_heads=4, hidden_dim=96, **labels("right", "left", "on", "ahead")
        ),
        ({"activation": "gelu_new"},),
    ),
    Case(
        "distilbert_masked_lm",
        DistilBertForMaskedLM,
        DistilBertConfig(**SHAPE, dim=32, n_layers=2, n_heads=2, hidden_dim=48),
        ({"activation": "gelu_new"},),
    ),
    Case(
        "albert_shared",
        AlbertForSequenceClassification,
        AlbertConfig(**ALBERT, num_hidden_groups=1, **labels("yes", "maybe", "no")),
        ({"hidden_act": "gelu"}, {"layer_norm_eps": 1e-5}),
    ),
    Case(
        "albert_groups",
        AlbertForSequenceClassification,
        AlbertConfig(**ALBERT, num_hidden_groups=2, inner_group_num=2, **labels("yes", "maybe", "no")),
        ({"hidden_act": "gelu"}, {"num_hidden_layers": 4}),
        has_vocabulary=False,
    ),
    Case(
        "mobilebert",
        MobileBertForSequenceClassification,
        MobileBertConfig(**MOBILEBERT, **labels("low", "high")),
        ({"hidden_act": "gelu"},),
        # Nothing normalises: the embeddings must be larger and the layers must not add up to huge values.
        embedding_scale=0.5,
        weight_gain=0.6,
    ),
    Case(
        "mobilebert_narrow",
        MobileBertForSequenceClassification,
        MobileBertConfig(
            **MOBILEBERT,
            # As in the published MobileBERT-TINY.
            use_bottleneck_attention=True,
            key_query_shared_bottleneck=False,
            num_feedforward_networks=2,
            classifier_activation=False,
            **labels("low", "high"),
        ),
        ({"hidden_act": "gelu"},),
        embedding_scale=0.5,
        weight_gain=0.6,
    ),
    Case(
        "tinybert",
        BertModel,
        # A head is 13 wide and epsilon is not the usual one.
        BertConfig(
            **{**BERT, "hidden_size": 52, "intermediate_size": 100},
            hidden_act="gelu_new",
            layer_norm_eps=1e-3,
            **TINYBERT_LEFTOVERS,
        ),
        ({"hidden_act": "gelu"}, {"layer_norm_eps": 1e-12}),
    ),
    Case(
        "minilm",
        BertModel,
        BertConfig(**{**BERT, "num_hidden_layers": 2, "num_attention_heads": 12, "intermediate_size": 192}),
        ({"hidden_act": "relu"},),
    ),
)


def vocabulary() -> str:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = [*special, *".,?!'-", *"0123456789", *letters, *(f"##{letter}" for letter in letters), *WORDS.split()]
    tokens += [f"##{suffix}" for suffix in ("ing", "ed", "er", "est", "ly", "ness", "tion", "able", "ful")]
    tokens += [f"[unused{index}]" for index in range(VOCABULARY_SIZE - len(tokens))]
    return "\n".join(tokens) + "\n"
