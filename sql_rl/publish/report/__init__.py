"""The report of a run: one HTML file that opens anywhere, offline, with plots and the rows to look through.

job.write_report(folder)  run.json and what lies beside it -> report.html
distill, train, evaluate  what such a run has to show
plots, rows, results      the pictures, the rows that fit, what their queries give
page                      all of it as HTML
apart                     the same in a process of its own, for the jobs
"""

from sql_rl.publish.report.apart import place, write_report_apart

__all__ = ["place", "write_report_apart"]
