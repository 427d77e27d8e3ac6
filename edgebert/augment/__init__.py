"""More examples out of few: words replaced by likely ones (TinyBERT, Jiao et al. 2019, Algorithm 1).

`augmenting` is the story. Each word that may be replaced (`words`) gets candidates, from the teacher's masked-word head
(`masked_words`) or from the words nearest to it (`nearest_words`); `drawing` makes texts out of them, `shards` keeps
them.
"""
