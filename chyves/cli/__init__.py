"""Words in, words out: the parser, completion, tables, help and the manual, all made from the tables."""
