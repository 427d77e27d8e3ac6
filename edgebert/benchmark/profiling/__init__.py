"""Where the time of an inference goes, operator by operator, inside the XNNPACK delegate too. Needs no TensorFlow."""
