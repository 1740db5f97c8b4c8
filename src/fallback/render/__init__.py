"""Any document as text, JSON or an HTML page. Every function here is pure and returns ``str``.

``text`` is for terminals and logs, ``json`` for scripts, ``html`` for people who read and sign; all three say the same
in the same words, which stand in ``words``. Nothing is imported here: text must not pay for Jinja2.
"""
