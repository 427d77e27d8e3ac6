"""A trained model to a physically smaller dense one: fewer layers, heads, neurons or channels, and an ordinary
checkpoint again. `counts` says how many, `cutting` says which and cuts, `remaining` keeps account."""
