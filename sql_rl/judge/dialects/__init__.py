"""Dialects: SQL of many flavours, run on SQLite. `dialect.readings` is the way in.

statements                     where statements begin and end
dialect                        which dialect a text is in, and how it is read in each
scope, definitions             the names of a schema, and the CREATE statements that made them
rewrite, rewrite_dates         from a tree of any dialect to one of SQLite's
functions, dates               what has no counterpart, registered in SQLite
"""
