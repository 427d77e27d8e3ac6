"""The table of words made smaller: fewer pieces (`choosing`, `trimming`), or two low-rank factors (`factorising`)."""
