"""Instruction counts on emulated ARM64 cores: LiteRT's own arm64 wheel under qemu-user with a counting plugin.

A count is a cost proxy for comparing models on one core and one runtime. It is never a time.
"""
