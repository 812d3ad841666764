"""The real MMOCR, 0.6.3 or 1.0.1, run by an interpreter of its own: an independent reference, and a builder of graphs.

Its stack (such as mmcv-full 1.7.2, mmdet 2.28.2, NumPy 1.23) does not fit into the environment of this package. So the
package `worker`, which imports nothing of ours, is run by the interpreter that has it, and files are exchanged.
"""
