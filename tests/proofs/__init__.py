"""What the methods are held against: published figures and companies whose truth is known.

``python -m tests.proofs`` computes all of them and writes ``pages/kit/proofs.json``, which the page on
methods shows; `tests/parity/test_proofs.py` computes the published ones again.
"""
