"""`--use-ray`: one run on many workers. `spread` (driver.py) is the door; ray is imported where it is used only.

share.py    how many workers, and which part of the limits each has       pure
purse.py    who may spend how much of --max-cost                          pure
shards.py   what is still to be done, in pieces
total.py    the counters of the whole run                                 pure
worker.py   the engine of a run, in a process of the cluster
merge.py    from the workers' journals into the run's
hired.py    a worker as its driver sees it
connect.py  the cluster itself
driver.py   who hires, feeds and watches the workers
"""
