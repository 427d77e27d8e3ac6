"""What a student starts from: its teacher's layers, a truncated teacher, another student, or chance.

`starting.initialise` is the one door; what cuts a teacher is in `edgebert.truncation`.
"""
