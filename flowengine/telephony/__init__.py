"""The carriers' two languages (XML documents and stream messages): pure, stateless, sans-I/O.

``messages`` are the facts and wishes that all carriers share, ``dialect`` says what a dialect is, ``dialects`` holds
one carrier per file; ``xml``, ``wire``, ``webhook`` and ``signature`` are what they are made of. Nothing here knows a
clock, a socket or a call: text goes in, values come out.
"""
