"""A trained student made smaller: zeros, fewer parts, fewer pieces, fewer bits. Its packages do not know each other."""
