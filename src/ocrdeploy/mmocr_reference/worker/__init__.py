"""Runs the real MMOCR for ocrdeploy: a package for the interpreter that holds it, which imports nothing of ours.

Python 3.8 and newer run it. `main.py` has the protocol; `mmocr0.py` and `mmocr1.py` know MMOCR 0.6.3 and 1.0.1.
"""
