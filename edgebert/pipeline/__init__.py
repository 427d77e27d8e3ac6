"""The whole road: a checkpoint and labelled data to .tflite files that clients were seen to run.

`config` is what a user may say, `request` what it means once files are read, `running` the road itself, one module for
each station beside it. The run folder is the road's only memory:

    run.json             resolved configuration, versions, machine, hashes of what went in, every start
    config.toml          the configuration again, to repeat the run with: edgebert compress config.toml
    log.txt              what was done when
    budget/              measured speeds and what was decided, where there is a budget
    finetune/checkpoint      the teacher; with what `edgebert finetune` keeps beside it, training curves included
    distill-text/checkpoint  the student of plain text, where there is a corpus
    distill/checkpoint       the student
    shrink/checkpoint        what becomes of it, where these stages are asked for: smaller,
    prune/checkpoint         with zeros,
    quantize/checkpoint      trained for int8, with its ranges,
    trim/checkpoint          with fewer pieces
    convert/             MODEL-PRECISION.tflite, as in teacher-float32.tflite, student-dynamic.tflite
    score/               predictions.json: what each file answered to each dev example (`edgebert.predictions`)
    verify/              what became of each file in each client
    benchmark/           record.json: one interleaved measurement of all files
    report.html, report.md, report.json, README.md   what it came to, and the model card

Each stage's `stage.json` holds what it was made from, its files' hashes and its result.
"""
