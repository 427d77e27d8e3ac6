"""Measuring on a board that OpenSSH reaches: what it lacks is sent there, and the workers run there.

One connection carries everything. A program of ours at its other end (`agent`) stores what is sent, starts the workers
and passes questions and answers through: a channel of its own for each worker would end at sshd's MaxSessions, ten.
"""
