"""Checkpoint folders in the Hugging Face layout: config.json, model.safetensors, vocabulary; read and written without
PyTorch and without TensorFlow."""

from edgebert.models.checkpoint_reading import Checkpoint, load_checkpoint
from edgebert.models.checkpoint_writing import Saved, save_checkpoint

__all__ = ["Checkpoint", "Saved", "load_checkpoint", "save_checkpoint"]
