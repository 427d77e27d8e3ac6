"""The road's stations, each from checkpoint folders and data to a checkpoint folder; `pipeline` may join them."""
