"""Two logical CPUs for the tests of replicas; to be said at collection, before TensorFlow computes anything."""

from edgebert.keras import tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
