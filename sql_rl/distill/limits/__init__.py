"""When the next request may be sent: one small state machine for each rule, put together in `admission.py`.

All of them are pure: time comes in as an argument, in seconds of a monotonic clock, and nothing here waits or sends.
"""
