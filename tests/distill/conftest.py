"""Two logical CPUs for the tests of replicas; must be said before TensorFlow computes anything, and so at collection."""

from edgebert.keras import tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
