"""The real MMOCR 0.6.3, run by an interpreter of its own: an independent reference, and a builder of graphs.

Its stack (mmcv-full 1.7.2, mmdet 2.28.2, NumPy 1.23) does not fit into the environment of this package. So `worker.py`,
a plain script, is run by the interpreter that has it, and files are exchanged; nothing of it is imported here.
"""
