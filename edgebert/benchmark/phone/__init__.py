"""Measuring on Android phones over adb: through our app, or through TFLite's benchmark_model."""
