"""How a float32 graph becomes one with integer activations: calibrated, balanced, given ranges, quantised.

`calibration` is real text as token ids; `observing` runs the float graph on it; `balancing` moves scale between
activations and weights where one int8 range fits badly, `attention_balance` and `channel_balance` where that is free;
`ranges` chooses each activation's range; `recipes` hands both to ai-edge-quantizer. `schemes` puts them together, one
function a scheme. `learnt` and `learnt_integers` start and take ranges that were trained, the latter by `marking` the
model's places in the graph.
"""
