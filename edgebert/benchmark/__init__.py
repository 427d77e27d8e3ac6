"""Measuring a .tflite on a device. Needs numpy and LiteRT, never TensorFlow: a board has no room for it."""
