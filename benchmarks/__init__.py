"""Times beside those of peers and physical limits, in one table: ``python -m benchmarks``.

A row's bound holds when the peer beside it shows its stated time, and grows with that
peer otherwise: a busy machine slows both. Measurement and peers take turns, so that both
see the same machine.
"""
