"""Running a .tflite in the clients that phones use, each as its users have it: in its own process and environment."""
