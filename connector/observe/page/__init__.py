"""The page for those with only a browser: what a process is like now, the sentence about it, and the HTML.

Everything here is pure: `runtime/glancing.py` looks, `edge/admin.py` serves.
"""
