"""One look for all commands: how they speak on a terminal, in a pipe, to a machine, or not at all."""
