import numpy as np
from scipy.stats import spearmanr

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.batches import EncodedDataset
from edgebert.data.wordpiece import Encoded
from edgebert.keras import tf
from edgebert.models.task import build_model
from edgebert.training.scoring import predict, score

CLASSES = HeadConfig(kind="classification", labels=("a", "b"))
SCORE = HeadConfig(kind="regression")


def test_spearman_is_scipys_with_ties_too() -> None:
    generator = np.random.default_rng(3)
    outputs, targets = generator.integers(0, 6, 40).astype(float), generator.integers(0, 4, 40).astype(float)
    np.testing.assert_allclose(score(SCORE, outputs[:, None], targets), spearmanr(outputs, targets).statistic)


def test_accuracy_counts_the_largest_output() -> None:
    outputs = np.array([[2.0, 1.0], [0.0, 1.0], [3.0, -1.0], [0.0, 5.0]])
    assert score(CLASSES, outputs, np.array([0, 1, 1, 1])) == 0.75


def test_predictions_stand_in_the_datasets_order_whatever_the_batches() -> None:
    model = build_model(EncoderConfig(50, 8, 1, 2, 16, 8), CLASSES)
    generator = np.random.default_rng(5)
    encoded = []
    for _ in range(23):
        length = int(generator.integers(2, 30))
        ids = tuple(int(number) for number in generator.integers(1, 50, length))
        encoded.append(Encoded(ids, (1,) * length, (0,) * length))
    predicted = predict(model, EncodedDataset(tuple(encoded), None), batch_size=4)
    for item, row in zip(encoded, predicted, strict=True):
        inputs = {name: tf.constant([getattr(item, name)]) for name in ("input_ids", "input_mask", "segment_ids")}
        np.testing.assert_allclose(row, model(inputs, training=False)[0].numpy(), atol=1e-5)
